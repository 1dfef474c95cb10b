// The bytes of entries and segment headers: what is written is read, what was changed is refused.
#include "protocol/crc32c.hpp"
#include "storage/log_meta.hpp"
#include "storage/log_scan.hpp"
#include "tests/storage/support.hpp"

using namespace aqueduct;
using namespace aqueduct::storage;
using namespace aqueduct::storage::test;

namespace {

std::vector<std::byte> encoded(const log_entry& entry, const entry_context& context) {
  std::vector<std::byte> bytes(entry_header_bytes);
  encode_entry_header(bytes.data(), entry, context);
  bytes.insert(bytes.end(), entry.body.bytes().begin(), entry.body.bytes().end());
  return bytes;
}

/// A log of a few entries of all kinds, in one file.
std::vector<log_entry> small_log() {
  return {noop_entry(1, 1),
          records_entry(2, 1, 0, 2),
          command_entry(3, 2, "do this"),
          records_entry(4, 2, 2, 1, 30),
          {5, 2, entry_kind::membership, buffer::copy_of("us")}};
}

struct written_log {
  machine host;
  std::string path;
  std::vector<std::byte> bytes;
  std::vector<std::uint64_t> ends;
};

void write_small_log(written_log& made) {
  auto options = small_segments(1 << 20);
  options.preallocate_bytes = 0;
  auto log = made.host.open_log(options);
  REQUIRE_OK(log);
  for (const auto& entry : small_log()) {
    REQUIRE_OK((*log)->append({&entry, 1}, timestamp_ms(5)));
    made.ends.push_back((*log)->size_bytes());
  }
  REQUIRE_OK((*log)->sync());
  made.path = group_directory("data", group_a) + "/" + segment_name(1);
  made.bytes = *made.host.files.contents(made.path);
}

} // namespace

TEST_SUITE("storage.format") {
  TEST_CASE("an entry's header says what was written, and its checksum vouches for it") {
    const auto seed = entry_seed(group_a);
    for (const auto& entry : small_log()) {
      const auto bytes = encoded(entry, {seed, 0xabcdef01, entry.index - 1});
      const auto header = decode_entry_header(bytes);
      REQUIRE(header);
      CHECK(header->index == entry.index);
      CHECK(header->term == entry.term);
      CHECK(header->kind == entry.kind);
      CHECK(header->prev_crc == 0xabcdef01);
      CHECK(header->durable_index == entry.index - 1);
      CHECK(header->size_bytes() == bytes.size());
      CHECK(verify_entry(bytes, seed));
    }
  }

  TEST_CASE("the layout of an entry is the one that FORMAT.md draws") {
    const auto bytes = encoded(
        {0x0102030405060708, 0x1112131415161718, entry_kind::command, buffer::copy_of("xyz")},
        {0, 0x21222324, 0x0102030405060707});
    const auto at = [&](std::size_t i) { return static_cast<int>(bytes[i]); };
    CHECK(load_be<std::uint32_t>(bytes.data()) == 35);
    CHECK(load_be<std::uint32_t>(bytes.data() + 8) == 0x21222324);
    CHECK(at(12) == 2);
    CHECK((at(13) | at(14) | at(15)) == 0);
    CHECK(load_be<std::uint64_t>(bytes.data() + 16) == 0x0102030405060708);
    CHECK(load_be<std::uint64_t>(bytes.data() + 24) == 0x1112131415161718);
    CHECK(load_be<std::uint64_t>(bytes.data() + 32) == 0x0102030405060707);
    CHECK(at(40) == 'x');
    // The checksum: length, then everything behind the checksum itself.
    auto crc = protocol::crc32c(byte_span(bytes).first(4));
    crc = protocol::crc32c(byte_span(bytes).subspan(8), crc);
    CHECK(load_be<std::uint32_t>(bytes.data() + 4) == crc);
  }

  TEST_CASE("the checksum of large records, put together from the batch's, is that of the bytes") {
    const auto seed = entry_seed(group_a);
    for (const std::size_t value : {10u, 1900u, 2047u, 2048u, 5000u, 100000u}) {
      const auto entry = records_entry(7, 3, 100, 2, value);
      CHECK(verify_entry(encoded(entry, {seed, 1, 2}), seed));
    }
  }

  TEST_CASE("bytes of another group, index, term or predecessor do not pass") {
    const auto entry = records_entry(7, 3, 100);
    const auto bytes = encoded(entry, {entry_seed(group_a), 5, 6});
    CHECK_FALSE(verify_entry(bytes, entry_seed(group_b)));
    CHECK_FALSE(verify_entry(bytes, entry_seed(controller_group)));
    log_chain chain{6, 3, 5, offset_t(100)};
    const scanned_entry found{*decode_entry_header(bytes), 0, bytes};
    CHECK_FALSE(check_next(found, chain, entry_seed(group_a)));
    chain.index = 7;
    CHECK(check_next(found, chain, entry_seed(group_a)));
    chain = {6, 4, 5, offset_t(100)};
    CHECK(check_next(found, chain, entry_seed(group_a)));
    chain = {6, 3, 4, offset_t(100)};
    CHECK(check_next(found, chain, entry_seed(group_a)));
    chain = {6, 3, 5, offset_t(101)};
    CHECK(check_next(found, chain, entry_seed(group_a)));
  }

  TEST_CASE("a header that no entry can have is refused before anything is allocated for it") {
    const auto good = encoded(command_entry(5, 2, "text"), {0, 0, 4});
    const auto with = [&](std::size_t at, auto value) {
      auto bytes = good;
      store_be(bytes.data() + at, value);
      return decode_entry_header(bytes).has_value();
    };
    CHECK(decode_entry_header(good));
    CHECK_FALSE(decode_entry_header(byte_span(good).first(entry_header_bytes - 1)));
    CHECK_FALSE(with(0, std::uint32_t{31}));
    CHECK_FALSE(with(0, std::uint32_t{0}));
    CHECK_FALSE(with(0, std::uint32_t{0xffffffff}));
    CHECK_FALSE(with(0, static_cast<std::uint32_t>(entry_body_bytes_max + 33)));
    CHECK(with(0, static_cast<std::uint32_t>(entry_body_bytes_max + 32)));
    CHECK_FALSE(with(12, std::uint8_t{4}));
    CHECK_FALSE(with(13, std::uint8_t{1}));
    CHECK_FALSE(with(15, std::uint8_t{1}));
    CHECK_FALSE(with(16, std::uint64_t{0}));
    CHECK_FALSE(with(24, std::uint64_t{0}));
    CHECK_FALSE(with(32, std::uint64_t{5}));
  }

  TEST_CASE("a segment header survives the way there and back, and no change of a byte") {
    const segment_header header{77, 5, 0x12345678, offset_t(1234), timestamp_ms(99)};
    std::vector<std::byte> bytes(segment_header_bytes);
    encode_segment_header(bytes.data(), group_a, header);
    const auto decoded = decode_segment_header(bytes, group_a);
    REQUIRE_OK(decoded);
    CHECK(*decoded == header);
    CHECK_FAILS(decode_segment_header(bytes, group_b), errc::conflict);
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      auto changed = bytes;
      changed[at] ^= std::byte{0x10};
      CHECK_FALSE(decode_segment_header(changed, group_a));
    }
    for (std::size_t size = 0; size < bytes.size(); ++size)
      CHECK_FALSE(decode_segment_header(byte_span(bytes).first(size), group_a));
  }

  TEST_CASE("a segment of a newer format is refused by its version, not taken for damage") {
    std::vector<std::byte> bytes(segment_header_bytes);
    encode_segment_header(bytes.data(), group_a, {});
    store_be(bytes.data() + 8, std::uint32_t{2});
    auto crc = protocol::crc32c(byte_span(bytes).first(12));
    crc = protocol::crc32c(byte_span(bytes).subspan(16), crc);
    store_be(bytes.data() + 12, crc);
    CHECK_FAILS(decode_segment_header(bytes, group_a), errc::unsupported_version);
  }

  TEST_CASE(
      "a log cut at any length opens with the entries that are whole, or says it is damaged") {
    written_log made;
    write_small_log(made);
    const auto expected = small_log();
    for (std::size_t size = 0; size <= made.bytes.size(); ++size) {
      machine other;
      other.files.put(made.path, byte_span(made.bytes).first(size));
      auto log = other.open_log(small_segments(1 << 20));
      REQUIRE_OK(log);
      std::size_t whole = 0;
      while (whole < made.ends.size() && made.ends[whole] <= size)
        ++whole;
      CHECK((*log)->last_index() == whole);
      CHECK(all_entries(other.reader_of(**log)) ==
            std::vector<log_entry>(expected.begin(),
                                   expected.begin() + static_cast<std::ptrdiff_t>(whole)));
    }
  }

  TEST_CASE("no flipped bit in a log is ever taken for an entry") {
    written_log made;
    write_small_log(made);
    const auto expected = small_log();
    for (std::size_t at = 0; at < made.bytes.size(); ++at)
      for (unsigned bit = 0; bit < 8; bit += 3) {
        machine other;
        other.files.put(made.path, made.bytes);
        REQUIRE(other.files.flip_bit(made.path, at, bit));
        // Without any durable mark: what cannot be proved durable is cut, nothing else is read.
        auto log = other.open_log(small_segments(1 << 20));
        if (!log) {
          CHECK((log.error().code == errc::storage_damaged ||
                 log.error().code == errc::unsupported_version));
          continue;
        }
        const auto entries = all_entries(other.reader_of(**log));
        REQUIRE(entries.size() < expected.size());
        for (std::size_t i = 0; i < entries.size(); ++i)
          REQUIRE(entries[i] == expected[i]);
      }
  }

  TEST_CASE("what the store holds of a log survives the way there and back, damage is noticed") {
    segment_mark mark;
    mark.header = {7, 2, 3, offset_t(4), timestamp_ms(5)};
    mark.end = 1000;
    mark.last_index = 9;
    mark.last_position = 900;
    mark.last_crc = 77;
    mark.next_offset = offset_t(12);
    mark.max_timestamp = timestamp_ms(-1);
    mark.terms = {{7, 2}, {9, 4}};
    const log_base base{5, 6, offset_t(7), buffer::copy_of("membership")};
    const log_entry member{8, 2, entry_kind::membership, buffer::copy_of("a, b")};
    const auto mark_value = encode_mark(mark);
    const auto base_value = encode_base(base);
    const auto member_value = encode_membership(member);
    CHECK(decode_mark(mark_value) == mark);
    CHECK(decode_base(base_value) == base);
    CHECK(decode_membership(member_value) == member);
    const auto each_change = [](const std::string& value, const auto& refused) {
      for (std::size_t at = 0; at < value.size(); ++at) {
        auto changed = value;
        changed[at] = static_cast<char>(changed[at] ^ 1);
        CHECK(refused(changed));
        CHECK(refused(value.substr(0, at)));
      }
    };
    each_change(mark_value, [](const std::string& v) { return !decode_mark(v); });
    each_change(base_value, [](const std::string& v) { return !decode_base(v); });
    each_change(member_value, [](const std::string& v) { return !decode_membership(v); });
    CHECK(group_of_key(mark_key(group_c, 5)) == group_c);
    CHECK_FALSE(group_of_key("short"));
  }

  TEST_CASE("segment names order as indexes do, and other names are no segments") {
    CHECK(segment_name(42) == "00000000000000000042.log");
    CHECK(segment_name(99) < segment_name(100));
    CHECK(parse_segment_name("00000000000000000042.log") == 42);
    CHECK(parse_segment_name("18446744073709551615.log") == 18446744073709551615ull);
    for (const auto* name :
         {"", ".log", "42.log", "00000000000000000000.log", "0000000000000000004x.log",
          "00000000000000000042.tmp", "99999999999999999999.log", "00000000000000000042.log~"})
      CHECK_FALSE(parse_segment_name(name));
  }
}
