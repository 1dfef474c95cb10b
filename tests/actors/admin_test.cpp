// What the admin actor does with the version of a message: it is asked as `aq admin` asks it.
#include "actors/admin.hpp"
#include "actors/logging.hpp"
#include "storage/sim_disk.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/sec.hpp>
#include <doctest/doctest.h>

using namespace aqueduct;
using namespace aqueduct::actors;

namespace {

struct settings : caf::actor_system_config {
  settings() { add_message_types<caf::id_block::aqueduct_admin>(); }
};

/// An admin actor over a node that only counts what it is told to do.
struct admin_bench {
  admin_bench() : self(system) {
    admin_services what;
    what.node = 7;
    what.directory = std::make_shared<topic_directory>();
    what.view = std::make_shared<known_cluster>(std::make_shared<const cluster_view>());
    what.cache = std::make_shared<cache_budget>(1024);
    what.disk = std::make_shared<storage::sim_disk>();
    what.connections = [] { return std::size_t{3}; };
    what.is_draining = [] { return false; };
    what.flush = [this]() -> result<void> {
      ++orders;
      return {};
    };
    what.drain = [this] { ++orders; };
    what.shut_down = [this] { ++orders; };
    what.scrubs = std::make_shared<std::atomic<std::shared_ptr<const scrub_report>>>(
        std::make_shared<const scrub_report>());
    what.scrub = [this](const std::string&, std::int32_t) -> result<void> {
      ++orders;
      return {};
    };
    what.stop_scrub = what.flush;
    what.log = component_logger("admin");
    admin = spawn_admin(system, std::move(what));
  }
  ~admin_bench() { self->send_exit(admin, caf::exit_reason::kill); }

  /// The answer, or nothing after an error, which is then in `problem`.
  template <class Answer, class Request>
  std::optional<Answer> ask(Request request, std::uint16_t version) {
    std::optional<Answer> got;
    request.version = version;
    self->request(admin, std::chrono::seconds(30), std::move(request))
        .receive([&](Answer& answer) { got = std::move(answer); },
                 [&](caf::error& error) {
                   is_version_problem = error == caf::sec::incompatible_versions;
                   problem = system.render(error);
                 });
    return got;
  }

  settings config;
  caf::actor_system system{config};
  caf::scoped_actor self;
  admin_actor admin;
  std::atomic<int> orders = 0;
  bool is_version_problem = false;
  std::string problem;
};

constexpr std::uint16_t newer = admin_version + 1;
const std::string sentence = "the node speaks version " + std::to_string(admin_version) +
                             " of the admin interface, the client version " + std::to_string(newer);

template <class Request>
void check_order_refused(admin_bench& bench) {
  const auto answer = bench.ask<admin_done>(Request{}, newer);
  REQUIRE(answer);
  CHECK(answer->error == static_cast<std::uint16_t>(errc::unsupported_version));
  CHECK(answer->message == sentence);
}

template <class Answer, class Request>
void check_question_refused(admin_bench& bench) {
  bench.is_version_problem = false;
  bench.problem.clear();
  CHECK_FALSE(bench.ask<Answer>(Request{}, newer));
  CHECK(bench.is_version_problem);
  CHECK_MESSAGE(bench.problem.find(sentence) != std::string::npos, bench.problem);
}

} // namespace

TEST_SUITE("actors.admin") {
  TEST_CASE("messages of this version are answered and done") {
    admin_bench bench;
    const auto status = bench.ask<admin_status>(admin_status_request{}, admin_version);
    REQUIRE(status);
    CHECK(status->node == 7);
    CHECK(status->connections == 3);
    CHECK(bench.ask<admin_partitions>(admin_partitions_request{}, admin_version));
    for (const auto& done : {bench.ask<admin_done>(admin_flush_request{}, admin_version),
                             bench.ask<admin_done>(admin_drain_request{}, admin_version),
                             bench.ask<admin_done>(admin_scrub_request{}, admin_version),
                             bench.ask<admin_done>(admin_scrub_stop_request{}, admin_version),
                             bench.ask<admin_done>(admin_shutdown_request{}, admin_version)}) {
      REQUIRE(done);
      CHECK(done->error == 0);
    }
    CHECK(bench.orders == 5);
    CHECK(bench.ask<admin_scrub_status>(admin_scrub_status_request{}, admin_version));
  }

  TEST_CASE("messages of another version are refused with a sentence, and nothing is done") {
    admin_bench bench;
    check_question_refused<admin_status, admin_status_request>(bench);
    check_question_refused<admin_partitions, admin_partitions_request>(bench);
    check_order_refused<admin_log_level_request>(bench);
    check_order_refused<admin_flush_request>(bench);
    check_question_refused<admin_scrub_status, admin_scrub_status_request>(bench);
    check_order_refused<admin_drain_request>(bench);
    check_order_refused<admin_scrub_request>(bench);
    check_order_refused<admin_scrub_stop_request>(bench);
    check_order_refused<admin_shutdown_request>(bench);
    CHECK(bench.orders == 0);
  }

  TEST_CASE("a level or a component that does not exist is refused with those that do") {
    admin_bench bench;
    auto answer =
        bench.ask<admin_done>(admin_log_level_request{admin_version, "", "loud"}, admin_version);
    REQUIRE(answer);
    CHECK(answer->error == static_cast<std::uint16_t>(errc::invalid_config));
    CHECK(answer->message == "'loud' is not a log level; a level is one of trace, debug, info, "
                             "warn, error, off");
    answer = bench.ask<admin_done>(admin_log_level_request{admin_version, "raftt", "debug"},
                                   admin_version);
    REQUIRE(answer);
    CHECK(answer->error == static_cast<std::uint16_t>(errc::not_found));
    CHECK(answer->message.find("'raftt'; the components are node, ") != std::string::npos);
  }
}
