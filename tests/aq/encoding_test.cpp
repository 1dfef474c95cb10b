#include "apps/aq/encoding.hpp"
#include "apps/aq/text_width.hpp"

#include <doctest/doctest.h>

#include <random>
#include <string>

using namespace aqueduct::aq;

TEST_SUITE_BEGIN("aq.encoding");

TEST_CASE("base64 is that of RFC 4648, section 10") {
  const std::pair<std::string, std::string> vectors[] = {
      {"", ""},
      {"f", "Zg=="},
      {"fo", "Zm8="},
      {"foo", "Zm9v"},
      {"foob", "Zm9vYg=="},
      {"fooba", "Zm9vYmE="},
      {"foobar", "Zm9vYmFy"},
  };
  for (const auto& [plain, coded] : vectors) {
    std::string out;
    append_base64(out, plain);
    CHECK(out == coded);
    std::string back;
    CHECK(append_from_base64(back, coded));
    CHECK(back == plain);
  }
  std::string unpadded;
  CHECK(append_from_base64(unpadded, "Zg"));
  CHECK(unpadded == "f");
  std::string untouched = "before";
  CHECK_FALSE(append_from_base64(untouched, "Zm9v*"));
  CHECK_FALSE(append_from_base64(untouched, "Z"));
  CHECK(untouched == "before");
}

TEST_CASE("bytes of any kind survive hexadecimal and base64") {
  std::mt19937 random(1);
  for (std::size_t size = 0; size < 200; ++size) {
    std::string bytes;
    for (std::size_t i = 0; i < size; ++i)
      bytes += static_cast<char>(random());
    std::string hex;
    std::string base64;
    append_hex(hex, bytes);
    append_base64(base64, bytes);
    std::string back;
    REQUIRE(append_from_hex(back, hex));
    CHECK(back == bytes);
    back.clear();
    REQUIRE(append_from_base64(back, base64));
    CHECK(back == bytes);
  }
  std::string out;
  CHECK_FALSE(append_from_hex(out, "abc"));
  CHECK_FALSE(append_from_hex(out, "zz"));
}

TEST_CASE("UTF-8 is told from what only looks like it") {
  for (const std::string good : {"", "plain", "gr\xc3\xbc\xc3\x9f", "\xe2\x82\xac",
                                 "\xf0\x9f\x98\x80", "longer than eight bytes \xe2\x82\xac"}) {
    CAPTURE(good);
    CHECK(is_utf8(good));
  }
  for (const std::string bad :
       {"\x80", "\xc3", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
        "\xf8\x88\x80\x80\x80", "\xff", "eight bytes and then \xe2\x82"}) {
    CAPTURE(bad);
    CHECK_FALSE(is_utf8(bad));
  }
  CHECK(is_printable("two\nlines\tand a tab"));
  CHECK_FALSE(is_printable(std::string("zero\0", 5)));
  CHECK_FALSE(is_printable("\x1b[31m"));
}

TEST_CASE("JSON strings are escaped") {
  std::string out;
  append_json_string(out, std::string("a\"b\\c\n\t\r\x01\x7f", 10) + "\xe2\x82\xac");
  CHECK(out == "\"a\\\"b\\\\c\\n\\t\\r\\u0001\\u007f\xe2\x82\xac\"");
}

TEST_CASE("text for a terminal cannot steer it") {
  CHECK(sanitized("\x1b[2Jplain") == "\\x1b[2Jplain");
  CHECK(sanitized("a\xffz") == "a\xef\xbf\xbdz");
  CHECK(sanitized("\xc2\x9b"
                  "31m") == "\\x9b31m");
  CHECK(sanitized("gr\xc3\xbcn") == "gr\xc3\xbcn");
}

TEST_CASE("the width of text counts columns, not bytes") {
  CHECK(display_width("") == 0);
  CHECK(display_width("plain") == 5);
  CHECK(display_width("gr\xc3\xbc\xc3\x9f") == 4);
  CHECK(display_width("e\xcc\x81") == 1);
  CHECK(display_width("\xe6\xbc\xa2\xe5\xad\x97") == 4);
  CHECK(display_width("\xf0\x9f\x98\x80") == 2);
  CHECK(display_width("\xff\xfe") == 2);
  std::string out;
  append_padded(out, "\xe6\xbc\xa2", 4, false);
  append_padded(out, "7", 3, true);
  CHECK(out == "\xe6\xbc\xa2    7");
}

TEST_SUITE_END();
