// What every disk must do, for the POSIX and the simulated one, and what only the simulated one
// does.
#include "tests/storage/support.hpp"
#include "tests/storage/temporary_directory.hpp"

#include <sys/stat.h>

#include <algorithm>

using namespace aqueduct;
using namespace aqueduct::storage;
using namespace aqueduct::storage::test;

namespace {

std::string read_all(const file& source) {
  const auto size = source.size();
  REQUIRE(size);
  std::string text(*size, '\0');
  const auto count = source.read_at(0, std::as_writable_bytes(std::span(text)));
  REQUIRE(count);
  REQUIRE(*count == text.size());
  return text;
}

std::string text_of(const sim_disk& disk, const std::string& path) {
  const auto bytes = disk.contents(path);
  if (!bytes)
    return "(missing)";
  return {reinterpret_cast<const char*>(bytes->data()), bytes->size()};
}

void check_files(disk& files, const std::string& root) {
  const auto path = root + "/f";
  CHECK_FAILS(files.open(path, open_mode::read), errc::not_found);
  CHECK_FAILS(files.open(path, open_mode::write), errc::not_found);
  CHECK_FAILS(files.open(root + "/no/f", open_mode::create), errc::not_found);
  auto opened = files.open(path, open_mode::create);
  REQUIRE_OK(opened);
  auto& f = **opened;
  CHECK(f.path() == path);
  CHECK_FAILS(files.open(path, open_mode::create_new), errc::conflict);

  const std::vector<byte_span> parts{bytes_of("hello"), bytes_of(""), bytes_of(", "),
                                     bytes_of("world")};
  REQUIRE_OK(f.write_at(0, parts));
  CHECK(read_all(f) == "hello, world");
  REQUIRE_OK(f.write_at(14, bytes_of("!")));
  CHECK(read_all(f) == std::string("hello, world\0\0!", 15));
  REQUIRE_OK(f.sync());

  // Reserving keeps what is there and reads as zeros.
  REQUIRE_OK(f.allocate(0, 32));
  CHECK(read_all(f) == std::string("hello, world\0\0!", 15) + std::string(17, '\0'));
  REQUIRE_OK(f.truncate(5));
  CHECK(read_all(f) == "hello");
  std::string some(10, '?');
  const auto count = f.read_at(3, std::as_writable_bytes(std::span(some)));
  REQUIRE_OK(count);
  CHECK(*count == 2);
  CHECK(some.substr(0, 3) == "lo?");
  CHECK(*f.read_at(100, std::as_writable_bytes(std::span(some))) == 0);

  auto reading = files.open(path, open_mode::read);
  REQUIRE_OK(reading);
  CHECK_FAILS((*reading)->write_at(0, bytes_of("x")), errc::storage_failed);
  CHECK(read_all(**reading) == "hello");
}

void check_names(disk& files, const std::string& root) {
  const auto folder = root + "/a/b/c";
  REQUIRE_OK(files.make_directories(folder));
  REQUIRE_OK(files.make_directories(folder));
  for (const auto* name : {"two", "one", "three"})
    REQUIRE_OK(files.open(folder + "/" + name, open_mode::create_new));
  REQUIRE_OK(files.sync_directory(folder));
  CHECK(*files.list(folder) == std::vector<std::string>{"one", "three", "two"});
  CHECK(*files.list(root + "/a") == std::vector<std::string>{"b"});
  CHECK_FAILS(files.list(root + "/none"), errc::not_found);
  REQUIRE_OK(files.rename(folder + "/one", folder + "/two"));
  CHECK(*files.list(folder) == std::vector<std::string>{"three", "two"});
  CHECK_FAILS(files.rename(folder + "/one", folder + "/two"), errc::not_found);
  auto kept = files.open(folder + "/three", open_mode::write);
  REQUIRE_OK((*kept)->write_at(0, bytes_of("still here")));
  REQUIRE_OK(files.remove(folder + "/three"));
  CHECK_FAILS(files.remove(folder + "/three"), errc::not_found);
  CHECK(read_all(**kept) == "still here");
  CHECK(*files.exists(folder + "/two"));
  CHECK_FALSE(*files.exists(folder + "/three"));
  REQUIRE_OK(files.remove_tree(root + "/a"));
  REQUIRE_OK(files.remove_tree(root + "/a"));
  CHECK_FALSE(*files.exists(root + "/a"));
}

void check_locks(disk& files, const std::string& root) {
  {
    const auto held = files.lock_file(root + "/lock");
    REQUIRE_OK(held);
    CHECK_FAILS(files.lock_file(root + "/lock"), errc::conflict);
    REQUIRE_OK(files.lock_file(root + "/other"));
  }
  CHECK_OK(files.lock_file(root + "/lock"));
}

} // namespace

TEST_SUITE("storage.disk") {
  TEST_CASE("the POSIX disk writes, reads, names and locks as the interface says") {
    const temporary_directory root;
    posix_disk files;
    check_files(files, root.path());
    check_names(files, root.path());
    check_locks(files, root.path());
    const auto space = files.space(root.path());
    REQUIRE_OK(space);
    CHECK(space->total_bytes >= space->free_bytes);
    CHECK(space->free_bytes > 0);
  }

  TEST_CASE("the simulated disk writes, reads, names and locks as the interface says") {
    sim_disk files;
    REQUIRE_OK(files.make_directories("root"));
    check_files(files, "root");
    check_names(files, "root");
    check_locks(files, "root");
  }

  TEST_CASE("the POSIX disk writes more parts at once than one system call takes") {
    const temporary_directory root;
    posix_disk files;
    auto opened = files.open(root.path() + "/f", open_mode::create);
    REQUIRE_OK(opened);
    std::string expected;
    std::vector<std::string> texts;
    for (int i = 0; i < 5000; ++i)
      texts.push_back(std::to_string(i) + ";");
    std::vector<byte_span> parts;
    for (const auto& text : texts) {
      parts.push_back(bytes_of(text));
      expected += text;
    }
    REQUIRE_OK((*opened)->write_at(0, parts));
    CHECK(read_all(**opened) == expected);
  }

  TEST_CASE("an error of the POSIX disk names the path and the reason") {
    const temporary_directory root;
    posix_disk files;
    const auto path = root.path() + "/none";
    const auto missing = files.open(path, open_mode::read);
    REQUIRE_FALSE(missing);
    CHECK(missing.error().message == "cannot open " + path + ": No such file or directory");
    REQUIRE_OK(files.open(path, open_mode::create));
    CHECK_FAILS(files.make_directories(path), errc::storage_failed);
    CHECK_FAILS(files.make_directories(path + "/below"), errc::storage_failed);
  }

  TEST_CASE("a full file system is storage_full") {
    posix_disk files;
    auto full = files.open("/dev/full", open_mode::write);
    REQUIRE_OK(full);
    CHECK_FAILS((*full)->write_at(0, bytes_of("x")), errc::storage_full);
  }

  TEST_CASE("files of the POSIX disk are not readable by everybody") {
    const temporary_directory root;
    posix_disk files;
    REQUIRE_OK(files.open(root.path() + "/f", open_mode::create));
    struct stat status {};
    REQUIRE(::stat((root.path() + "/f").c_str(), &status) == 0);
    CHECK((status.st_mode & 07) == 0);
  }
}

TEST_SUITE("storage.sim_disk") {
  TEST_CASE("a crash keeps what was synced and drops what was not") {
    sim_disk files;
    REQUIRE_OK(files.make_directories("d"));
    auto f = *files.open("d/f", open_mode::create);
    REQUIRE_OK(f->write_at(0, bytes_of("synced")));
    REQUIRE_OK(f->sync());
    REQUIRE_OK(files.sync_directory("d"));
    REQUIRE_OK(f->write_at(6, bytes_of(" lost")));
    CHECK(text_of(files, "d/f") == "synced lost");

    files.crash(crash_policy::drop_all());

    CHECK(text_of(files, "d/f") == "synced");
    CHECK_FAILS(f->write_at(0, bytes_of("x")), errc::storage_failed);
    CHECK_FAILS(f->sync(), errc::storage_failed);
    CHECK_FAILS(f->size(), errc::storage_failed);
  }

  TEST_CASE("a synced file whose name was not synced is lost") {
    sim_disk files;
    REQUIRE_OK(files.make_directories("d"));
    auto f = *files.open("d/f", open_mode::create);
    REQUIRE_OK(f->write_at(0, bytes_of("x")));
    REQUIRE_OK(f->sync());

    files.crash(crash_policy::drop_all());

    CHECK(text_of(files, "d/f") == "(missing)");
  }

  TEST_CASE("a removal that was not synced comes back, a rename happens whole or not at all") {
    sim_disk files;
    files.put("d/a", bytes_of("a"));
    files.put("d/b", bytes_of("b"));
    REQUIRE_OK(files.remove("d/b"));
    REQUIRE_OK(files.rename("d/a", "d/c"));

    SUBCASE("dropped") {
      files.crash(crash_policy::drop_all());
      CHECK(files.files() == std::vector<std::string>{"d/a", "d/b"});
    }
    SUBCASE("kept") {
      files.crash(crash_policy::keep_all());
      CHECK(files.files() == std::vector<std::string>{"d/c"});
    }
    SUBCASE("any subset") {
      files.crash(crash_policy::random(3));
      const auto left = files.files();
      CHECK(std::count(left.begin(), left.end(), "d/a") +
                std::count(left.begin(), left.end(), "d/c") ==
            1);
    }
  }

  TEST_CASE("what was in a folder that is gone for good does not come back in its successor") {
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
      CAPTURE(seed);
      sim_disk files;
      files.put("d/f/old", bytes_of("old"));
      REQUIRE_OK(files.remove_tree("d/f"));
      if (seed == 0) {
        // Nothing says so yet.
        files.crash(crash_policy::drop_all());
        CHECK(text_of(files, "d/f/old") == "old");
        continue;
      }
      REQUIRE_OK(files.sync_directory("d"));
      REQUIRE_OK(files.make_directories("d/f"));
      REQUIRE_OK(files.open("d/f/new", open_mode::create));
      files.crash(crash_policy::random(seed));
      CHECK(text_of(files, "d/f/old") == "(missing)");
    }
  }

  TEST_CASE("crashes keep unsynced writes in every subset, torn at bytes and sectors") {
    bool saw_hole = false;
    bool saw_prefix = false;
    bool saw_torn_sector = false;
    bool saw_size_without_data = false;
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
      sim_disk files;
      REQUIRE_OK(files.make_directories("d"));
      auto f = *files.open("d/f", open_mode::create);
      REQUIRE_OK(files.sync_directory("d"));
      REQUIRE_OK(f->write_at(0, bytes_of(std::string(1500, 'a'))));
      REQUIRE_OK(f->write_at(1500, bytes_of(std::string(1500, 'b'))));
      files.crash(crash_policy::random(seed));
      const auto text = text_of(files, "d/f");
      const auto a = std::count(text.begin(), text.end(), 'a');
      const auto b = std::count(text.begin(), text.end(), 'b');
      for (const char c : text)
        REQUIRE((c == 'a' || c == 'b' || c == '\0'));
      saw_hole = saw_hole || (a < 1500 && b > 0);
      saw_prefix = saw_prefix || (a == 1500 && b == 0);
      saw_torn_sector = saw_torn_sector || (a > 0 && a < 1500 && a % 512 == 0);
      saw_size_without_data = saw_size_without_data || text.empty();
    }
    CHECK(saw_hole);
    CHECK(saw_prefix);
    CHECK(saw_torn_sector);
    CHECK(saw_size_without_data);
  }

  TEST_CASE("after a failed sync the data is shown, later syncs succeed, and a crash drops it") {
    sim_disk files;
    files.put("d/f", bytes_of(""));
    auto f = *files.open("d/f", open_mode::write);
    REQUIRE_OK(f->write_at(0, bytes_of("lost")));
    files.fail_syncs("f");
    CHECK_FAILS(f->sync(), errc::storage_failed);
    REQUIRE_OK(f->sync());
    REQUIRE_OK(f->write_at(4, bytes_of("kept")));
    REQUIRE_OK(f->sync());
    CHECK(text_of(files, "d/f") == "lostkept");

    files.crash(crash_policy::keep_all());

    CHECK(text_of(files, "d/f") == std::string("\0\0\0\0kept", 8));
  }

  TEST_CASE("a full disk takes what fits and refuses the rest") {
    sim_disk files(10);
    REQUIRE_OK(files.make_directories("d"));
    auto f = *files.open("d/f", open_mode::create);
    CHECK_FAILS(f->write_at(0, bytes_of("twelve bytes")), errc::storage_full);
    CHECK(text_of(files, "d/f") == "twelve byt");
    CHECK_FAILS(f->allocate(0, 11), errc::storage_full);
    CHECK(files.space("d")->free_bytes == 0);
    REQUIRE_OK(f->truncate(4));
    CHECK(files.space("d")->free_bytes == 6);
  }

  TEST_CASE("the power can fail at any change: that one may have an effect, no later one does") {
    sim_disk files;
    files.put("d/f", bytes_of("...."));
    auto f = *files.open("d/f", open_mode::write);
    files.crash_after(2);
    REQUIRE_OK(f->write_at(0, bytes_of("1")));
    CHECK_FAILS(f->write_at(1, bytes_of("2")), errc::storage_failed);
    CHECK(files.is_powerless());
    CHECK_FAILS(f->write_at(2, bytes_of("3")), errc::storage_failed);
    CHECK_FAILS(f->sync(), errc::storage_failed);
    CHECK_FAILS(files.list("d"), errc::storage_failed);

    files.crash(crash_policy::keep_all());

    CHECK_FALSE(files.is_powerless());
    CHECK(text_of(files, "d/f") == "12..");
  }

  TEST_CASE("bad sectors fail reads until healed, flipped bits are seen by everybody") {
    sim_disk files;
    files.put("d/f", bytes_of("0123456789"));
    auto f = *files.open("d/f", open_mode::read);
    files.fail_reads("d/f", 4, 2);
    std::string some(4, '?');
    CHECK_OK(f->read_at(0, std::as_writable_bytes(std::span(some))));
    CHECK_FAILS(f->read_at(2, std::as_writable_bytes(std::span(some))), errc::storage_failed);
    files.heal_reads();
    CHECK_OK(f->read_at(2, std::as_writable_bytes(std::span(some))));
    REQUIRE(files.flip_bit("d/f", 0, 0));
    CHECK(text_of(files, "d/f") == "1123456789");
    files.crash(crash_policy::drop_all());
    CHECK(text_of(files, "d/f") == "1123456789");
    CHECK_FALSE(files.flip_bit("d/f", 10, 0));
  }

  TEST_CASE("the same calls and seeds give the same disk") {
    const auto run = [](std::uint64_t seed) {
      sim_disk files;
      REQUIRE_OK(files.make_directories("d"));
      for (int i = 0; i < 20; ++i) {
        auto f = *files.open("d/f" + std::to_string(i % 5), open_mode::create);
        REQUIRE_OK(f->write_at(static_cast<std::uint64_t>(i), bytes_of(std::string(100, 'x'))));
        if (i % 3 == 0)
          REQUIRE_OK(files.sync_directory("d"));
      }
      files.crash(crash_policy::random(seed));
      return files.fingerprint();
    };
    CHECK(run(7) == run(7));
    bool differs = false;
    for (std::uint64_t seed = 0; seed < 10; ++seed)
      differs = differs || run(seed) != run(seed + 1);
    CHECK(differs);
  }

  TEST_CASE("a write error hits once, after the bytes it was told to let pass") {
    sim_disk files;
    files.put("d/f", bytes_of(""));
    auto f = *files.open("d/f", open_mode::write);
    files.fail_write("d/", 3);
    CHECK_FAILS(f->write_at(0, bytes_of("abcdef")), errc::storage_failed);
    CHECK(text_of(files, "d/f") == "abc");
    CHECK_OK(f->write_at(3, bytes_of("def")));
  }
}
