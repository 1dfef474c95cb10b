#include "config/utf8.hpp"
#include "config/value.hpp"

#include <doctest/doctest.h>

using namespace aqueduct;
using namespace aqueduct::config;
using namespace std::chrono_literals;
using form = raw_value::form;

namespace {

raw_value plain(std::string text) {
  return {form::plain, std::move(text), {}, 0, 0};
}
raw_value written(form how, std::string text) {
  return {how, std::move(text), {}, 0, 0};
}

/// The value's canonical spelling after reading it.
std::string read_back(const kind& wanted, const raw_value& raw) {
  const auto held = read_value(wanted, raw);
  return held ? print_value(wanted, *held) : "refused: " + held.error().message;
}

bool refuses(const kind& wanted, const raw_value& raw, const std::string& part) {
  const auto text = read_back(wanted, raw);
  INFO(text);
  return text.starts_with("refused: ") && text.find(part) != std::string::npos;
}

} // namespace

TEST_SUITE("config.value") {
  TEST_CASE("booleans are true and false, nothing else") {
    CHECK(read_back(bool_kind{}, plain("true")) == "true");
    CHECK(read_back(bool_kind{}, written(form::boolean, "false")) == "false");
    CHECK(refuses(bool_kind{}, plain("yes"), "'yes' is neither true nor false"));
    CHECK(refuses(bool_kind{}, plain("1"), "neither true nor false"));
    CHECK(refuses(bool_kind{}, written(form::quoted, "true"), "found the text 'true'"));
    CHECK(refuses(bool_kind{}, written(form::integer, "1"), "found the number 1"));
  }

  TEST_CASE("integers keep to their range, ends included") {
    const integer_kind wanted{-2, 10};
    CHECK(read_back(wanted, plain("-2")) == "-2");
    CHECK(read_back(wanted, written(form::integer, "10")) == "10");
    CHECK(refuses(wanted, plain("11"), "11 is out of range; allowed: -2 to 10"));
    CHECK(refuses(wanted, plain("-3"), "out of range"));
    CHECK(refuses(wanted, plain("99999999999999999999"), "not a whole number"));
    CHECK(refuses(wanted, plain(""), "not a whole number"));
    CHECK(refuses(wanted, plain("1 "), "not a whole number"));
    CHECK(refuses(wanted, written(form::real, "1.0"), "expected a whole number"));
    CHECK(refuses(wanted, written(form::quoted, "1"), "expected a whole number"));
  }

  TEST_CASE("durations keep to their range and know no limit where they may") {
    const duration_kind wanted{1s, 1h, true};
    CHECK(read_back(wanted, written(form::quoted, "60s")) == "1m");
    CHECK(read_back(wanted, plain("unlimited")) == "unlimited");
    CHECK(
        refuses(wanted, plain("999ms"), "999ms is out of range; allowed: 1s to 1h, or unlimited"));
    CHECK(refuses(wanted, plain("61m"), "out of range"));
    CHECK(refuses(wanted, written(form::integer, "60"), "'60' has no unit"));
    CHECK(refuses(wanted, written(form::boolean, "true"), "expected a duration"));
    CHECK(refuses(duration_kind{1s, 1h}, plain("unlimited"), "does not begin with a whole number"));
  }

  TEST_CASE("sizes keep to their range and know no limit where they may") {
    const size_kind wanted{1024, 4096, true};
    CHECK(read_back(wanted, written(form::integer, "2048")) == "2KiB");
    CHECK(read_back(wanted, plain("unlimited")) == "unlimited");
    CHECK(refuses(wanted, plain("1023"), "1023 is out of range; allowed: 1KiB to 4KiB"));
    CHECK(refuses(wanted, plain("5KiB"), "out of range"));
    CHECK(refuses(wanted, written(form::list, "a list"), "expected a size, found a list"));
  }

  TEST_CASE("in Kafka's style durations are milliseconds, sizes are bytes and -1 is unlimited") {
    const duration_kind time{1s, 24h, true, number_style::kafka};
    const size_kind size{1024, 1 << 20, true, number_style::kafka};
    CHECK(read_back(time, plain("60000")) == "60000");
    CHECK(read_back(time, plain("1h")) == "3600000");
    CHECK(read_back(time, plain("-1")) == "-1");
    CHECK(read_back(size, plain("1MiB")) == "1048576");
    CHECK(read_back(size, plain("-1")) == "-1");
    CHECK(refuses(time, plain("999"), "999 is out of range; allowed: 1000 to 86400000, or -1"));
    CHECK(refuses(time, plain("-2"), "does not begin with a whole number"));
    CHECK(refuses(time, plain("unlimited"), "does not begin with a whole number"));
    CHECK(refuses(size, plain("99999999999999999999"), "too large"));
  }

  TEST_CASE("shares are fractions or percentages") {
    const ratio_kind wanted{0.1, 0.9};
    CHECK(read_back(wanted, plain("25%")) == "0.25");
    CHECK(read_back(wanted, written(form::real, "0.5")) == "0.5");
    CHECK(refuses(wanted, plain("95%"), "out of range; allowed: 0.1 to 0.9"));
    CHECK(refuses(wanted, plain("nan"), "is not a share"));
    CHECK(refuses(wanted, plain("%"), "is not a share"));
    CHECK(print_toml_value(wanted, *read_value(wanted, plain("50%"))) == "0.5");
  }

  TEST_CASE("texts keep to their size and have no control characters") {
    const text_kind wanted{1, 5};
    CHECK(read_back(wanted, written(form::quoted, "abcde")) == "abcde");
    CHECK(refuses(wanted, plain(""), "allowed: 1 to 5 characters"));
    CHECK(refuses(wanted, plain("abcdef"), "has 6 characters"));
    CHECK(refuses(wanted, plain("a\nb"), "control characters"));
    CHECK(refuses(wanted, plain("a\xf4g"), "not UTF-8"));
    CHECK(refuses(wanted, written(form::integer, "5"), "expected text in quotes"));
  }

  TEST_CASE("addresses have a port of their own unless any will do") {
    CHECK(read_back(endpoint_kind{}, plain("a:1")) == "a:1");
    CHECK(refuses(endpoint_kind{}, plain("a:0"), "has port 0; allowed: 1 to 65535"));
    CHECK(refuses(endpoint_kind{}, plain(""), "has no port"));
    CHECK(read_back(endpoint_kind{.port_may_be_zero = true}, plain("a:0")) == "a:0");
    CHECK(read_back(endpoint_kind{.may_be_empty = true}, plain("")).empty());
  }

  TEST_CASE("lists of addresses come as lists, or with commas between") {
    const raw_value list{
        form::list, "a list", {written(form::quoted, "a:1"), written(form::quoted, "b:2")}, 0, 0};
    CHECK(read_back(endpoint_list_kind{}, list) == "a:1,b:2");
    CHECK(read_back(endpoint_list_kind{}, plain("a:1,b:2")) == "a:1,b:2");
    CHECK(read_back(endpoint_list_kind{}, plain("")).empty());
    CHECK(refuses(endpoint_list_kind{}, plain("a:1,a:1"), "is in the list twice"));
    CHECK(refuses(endpoint_list_kind{}, plain("a:1,,b:2"), "has no port"));
    CHECK(refuses(endpoint_list_kind{}, plain("a:1,b"), "'b' has no port"));
    CHECK(refuses(endpoint_list_kind{}, written(form::quoted, "a:1"), "expected a list"));
  }

  TEST_CASE("addresses with names have each name once") {
    const named_endpoint_list_kind wanted;
    const raw_value list{form::list,
                         "a list",
                         {written(form::quoted, "in=a:1"), written(form::quoted, "out-2=[::1]:2")},
                         0,
                         0};
    CHECK(read_back(wanted, list) == "in=a:1,out-2=[::1]:2");
    CHECK(read_back(wanted, plain("in=a:1,out-2=[::1]:2")) == "in=a:1,out-2=[::1]:2");
    CHECK(read_back(wanted, plain("")).empty());
    CHECK(read_back(named_endpoint_list_kind{.port_may_be_zero = true}, plain("in=a:0")) ==
          "in=a:0");
    CHECK(refuses(wanted, plain("in=a:0"), "has port 0; allowed: 1 to 65535"));
    CHECK(refuses(wanted, plain("in=a:1,in=b:2"), "'in' is in the list twice"));
    CHECK(refuses(wanted, plain("a:1"), "'a:1' has no name; write name=host:port"));
    CHECK(refuses(wanted, plain("=a:1"), "'=a:1' has a name that is not 1 to 32"));
    CHECK(refuses(wanted, plain("In=a:1"), "has a name that is not 1 to 32"));
    CHECK(refuses(wanted, plain(std::string(33, 'n') + "=a:1"), "has a name that is not 1 to 32"));
    CHECK(refuses(wanted, plain("in=a"), "'in=a' has no port"));
    CHECK(refuses(wanted, written(form::quoted, "in=a:1"), "expected a list"));
    const raw_value numbers{form::list, "a list", {written(form::integer, "1")}, 0, 0};
    CHECK(refuses(wanted, numbers, "expected \"name=host:port\", found the number 1"));
    CHECK(kind_name(wanted) == "list of name=address");
    CHECK(print_toml_value(wanted, *read_value(wanted, plain("in=a:1"))) == "[\"in=a:1\"]");
  }

  TEST_CASE("choices are known names; a name that is refused says why") {
    const choice_kind wanted{{"one", "two"}, {{"three", "that is one too many"}}};
    CHECK(read_back(wanted, plain("two")) == "two");
    CHECK(refuses(wanted, plain("Two"), "'Two' is unknown; allowed: one of one, two"));
    CHECK(refuses(wanted, plain("three"), "'three': that is one too many"));
    CHECK(refuses(wanted, written(form::boolean, "true"), "expected one of one, two"));
  }

  TEST_CASE("choices by name are sorted, and each name is there once") {
    const choice_by_name_kind wanted{{"a", "b"}, {"low", "high"}};
    CHECK(read_back(wanted, plain("b=low,a=high")) == "a=high,b=low");
    CHECK(refuses(wanted, plain("a"), "not of the form name=choice"));
    CHECK(refuses(wanted, plain("=low"), "not of the form name=choice"));
    const raw_value list{form::list, "a list", {written(form::quoted, "a,b=low")}, 0, 0};
    CHECK(refuses(wanted, list, "'a,b=low' begins with an unknown name"));
    CHECK(refuses(wanted, plain("a=medium"), "allowed: name=choice each"));
    CHECK(refuses(wanted, plain("aa=low"), "'aa=low' begins with an unknown name"));
    CHECK(refuses(wanted, plain("aa=low"), "the name one of a, b"));
    CHECK(refuses(wanted, plain("a=low,a=high"), "'a' is in the list twice"));
  }

  TEST_CASE("a message shows what was written on one line and not at length") {
    CHECK(refuses(bool_kind{}, plain(std::string(500, 'x')), std::string(80, 'x') + "...'"));
    CHECK(refuses(bool_kind{}, plain("a\nb"), "'a?b'"));
  }

  TEST_CASE("UTF-8 is told from other bytes at every boundary of its table") {
    for (const auto* good :
         {"", "a", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
          "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"})
      CHECK(is_utf8(good));
    for (const auto* bad :
         {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2\xc2", "\xe0\x9f\xbf",
          "\xed\xa0\x80", "\xe1\x80", "\xe1\x80x", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
          "\xf5\x80\x80\x80", "\xff", "\xf1\x80\x80"})
      CHECK_FALSE(is_utf8(bad));
  }

  TEST_CASE("TOML strings are escaped") {
    CHECK(print_toml_value(text_kind{}, value(std::string("a\"b\\c"))) == R"("a\"b\\c")");
    CHECK(print_toml_value(text_kind{}, value(std::string("\x01"))) == R"("\u0001")");
  }
}
