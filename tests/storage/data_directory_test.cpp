// Who may use a data directory.
#include "storage/data_directory.hpp"
#include "tests/storage/support.hpp"
#include "tests/storage/temporary_directory.hpp"

using namespace aqueduct;
using namespace aqueduct::storage;
using namespace aqueduct::storage::test;

namespace {

const uuid cluster_one{{1}};
const uuid cluster_two{{2}};

claim_request request_for(std::int32_t node, const std::string& path = "data") {
  claim_request request;
  request.path = path;
  request.node = node_id(node);
  request.now = timestamp_ms(123);
  return request;
}

} // namespace

TEST_SUITE("storage.data_directory") {
  TEST_CASE("a new directory becomes the node's and is known again") {
    sim_disk files;
    {
      auto claimed = data_directory::claim(files, request_for(3, "deep/down/data"));
      REQUIRE_OK(claimed);
      CHECK(claimed->is_new());
      CHECK(claimed->path() == "deep/down/data");
      CHECK(claimed->identity() == node_identity{uuid{}, node_id(3), 1, timestamp_ms(123)});
    }
    files.crash(crash_policy::drop_all());
    auto claimed = data_directory::claim(files, request_for(3, "deep/down/data"));
    REQUIRE_OK(claimed);
    CHECK_FALSE(claimed->is_new());
    CHECK(claimed->identity().created == timestamp_ms(123));
  }

  TEST_CASE("a directory in use is refused with a sentence that names it") {
    const auto check = [](disk& files, const std::string& path) {
      auto first = data_directory::claim(files, request_for(1, path));
      REQUIRE_OK(first);
      auto second = data_directory::claim(files, request_for(1, path));
      REQUIRE_FALSE(second);
      CHECK(second.error().code == errc::conflict);
      CHECK(second.error().message.find("the data directory " + path +
                                        " is used by another running node") == 0);
    };
    sim_disk simulated;
    check(simulated, "data");
    const temporary_directory root;
    posix_disk real;
    check(real, root.path() + "/data");
    CHECK_OK(data_directory::claim(real, request_for(1, root.path() + "/data")));
  }

  TEST_CASE("a directory of another node or cluster is refused") {
    sim_disk files;
    auto request = request_for(1);
    request.cluster = cluster_one;
    CHECK_OK(data_directory::claim(files, request));
    CHECK_OK(data_directory::claim(files, request_for(1)));
    CHECK_FAILS(data_directory::claim(files, request_for(2)), errc::conflict);
    request.cluster = cluster_two;
    CHECK_FAILS(data_directory::claim(files, request), errc::conflict);
  }

  TEST_CASE("the identity is replaced as a whole, whenever the power fails") {
    for (std::uint64_t at = 1; at < 8; ++at)
      for (std::uint64_t seed = 0; seed < 20; ++seed) {
        sim_disk files;
        auto claimed = data_directory::claim(files, request_for(1));
        REQUIRE_OK(claimed);
        const node_identity joined{cluster_one, node_id(1), 42, timestamp_ms(123)};
        files.crash_after(at);
        const bool done = claimed->change_identity(joined).has_value();
        files.crash(crash_policy::random(seed));
        auto again = data_directory::claim(files, request_for(1));
        REQUIRE_OK(again);
        const bool is_new = again->identity() == joined;
        CHECK((is_new || again->identity().incarnation == 1));
        if (done)
          CHECK(is_new);
        CHECK(claimed->identity() ==
              (done ? joined : node_identity{uuid{}, node_id(1), 1, timestamp_ms(123)}));
      }
  }

  TEST_CASE("an identity that is damaged, missing or of a newer format is refused") {
    sim_disk files;
    CHECK_OK(data_directory::claim(files, request_for(1)));
    const auto good = *files.contents("data/node.meta");
    for (std::size_t at = 0; at < good.size(); ++at) {
      auto changed = good;
      changed[at] ^= std::byte{4};
      files.put("data/node.meta", changed);
      const auto claimed = data_directory::claim(files, request_for(1));
      REQUIRE_FALSE(claimed);
      CHECK((claimed.error().code == errc::storage_damaged ||
             claimed.error().code == errc::unsupported_version));
    }
    files.put("data/node.meta", byte_span(good).first(good.size() - 1));
    CHECK_FAILS(data_directory::claim(files, request_for(1)), errc::storage_damaged);
    REQUIRE_OK(files.remove("data/node.meta"));
    CHECK_OK(data_directory::claim(files, request_for(1)));
    REQUIRE_OK(files.remove("data/node.meta"));
    files.put("data/groups/x/1.log", {});
    CHECK_FAILS(data_directory::claim(files, request_for(1)), errc::storage_damaged);
  }
}
