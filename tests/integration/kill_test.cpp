// A node that is killed at random moments under load, again and again, and one that is stopped
// under load. AQUEDUCT_KILLS sets the number of kills, AQUEDUCT_SEED the moments.
#include "tests/integration/chaos_clients.hpp"
#include "tests/integration/sturdy_node.hpp"
#include "tests/support/paths.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <cstdlib>
#include <memory>
#include <random>

TEST_SUITE_BEGIN("integration.kill");

using namespace aqueduct;
using namespace aqueduct::test;

namespace {

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

enum class ending { kill, stop };

class chaos_run {
public:
  chaos_run(std::uint64_t seed, ending how)
      : numbers_(seed), how_(how), ledger_(workload_.partitions, workload_.idempotent_producers) {
    start_node();
    native_client client(node_->client_address());
    // Small segments, so that some end and begin at the moment of a kill.
    create_topic(
        client, workload_.topic, workload_.partitions,
        {{"segment.bytes", "262144"}, {"max.message.bytes", "65536"}, {"retention.ms", "-1"}});
    threads_ = start_clients(workload_, gate_, ledger_, churn_);
    gate_.open(node_->client_address());
  }

  ~chaos_run() {
    gate_.finish();
    // Whoever still waits for an answer gets the end of the connection.
    node_.reset();
  }

  /// One life under load and its end; then what the next life has is verified.
  void round(std::uint64_t number) {
    const auto acknowledgements = 1 + static_cast<std::int64_t>(numbers_.below(1500));
    REQUIRE(gate_.await_acknowledgements(acknowledgements));
    end_at_random_moment();
    REQUIRE_MESSAGE(gate_.await_parked(workload_.client_count()),
                    "a request was neither answered nor closed");
    if (how_ == ending::kill && numbers_.below(4) == 0)
      kill_during_start();
    start_node();
    verify(number % 25 == 24);
    gate_.open(node_->client_address());
  }

  /// Lets the clients finish what they began, and looks at everything once more, twice.
  void finish() {
    REQUIRE(gate_.await_acknowledgements(100));
    gate_.finish();
    threads_.clear();
    verify(true);
    stop();
    start_node();
    verify(true);
  }

  [[nodiscard]] std::vector<std::string> violations() const { return ledger_.violations(); }

  [[nodiscard]] std::string summary() const {
    return std::to_string(ledger_.acknowledged_count()) + " records acknowledged, " +
           std::to_string(ledger_.stored_count()) + " stored, " +
           std::to_string(churn_.change_count()) + " topics created or deleted, " +
           std::to_string(early_kills_) + " kills during a start";
  }

private:
  /// All modes of flushing keep what was acknowledged when only the process dies.
  [[nodiscard]] node_options options() {
    const char* flush[] = {"commit", "commit", "interval", "os"};
    const char* ahead[] = {"0B", "128KiB", "16MiB"};
    const char* cache[] = {"1MiB", "256MiB"};
    const char* direct[] = {"true", "true", "true", "false"};
    node_options options{folder_.path() / "data", {}, {}};
    options.settings = {std::string("storage.flush=") + flush[numbers_.below(4)],
                        std::string("storage.preallocate-bytes=") + ahead[numbers_.below(3)],
                        std::string("storage.tail-cache-bytes=") + cache[numbers_.below(2)],
                        std::string("storage.direct-writes=") + direct[numbers_.below(4)]};
    return options;
  }

  void start_node() { node_ = std::make_unique<node_process>(options()); }

  void end_at_random_moment() {
    // A few round trips more or less, so that the end does not always follow an answer.
    native_client client(node_->client_address());
    for (auto left = numbers_.below(30); left > 0; --left)
      (void)client.call(protocol::api_versions_request{});
    if (how_ == ending::kill)
      node_->kill();
    else
      stop();
  }

  void stop() {
    const auto status = node_->stop();
    INFO("the node said:\n" << node_->process().errors());
    CHECK(status == 0);
  }

  /// A node that dies while it recovers from its death.
  void kill_during_start() {
    child_process early(built_program("aqueductd"), node_arguments(options()));
    const auto moment = std::chrono::milliseconds(1 + numbers_.below(200));
    (void)early.read_line(test_clock::now() + moment);
    early.signal(SIGKILL);
    REQUIRE(early.wait_until(test_clock::now() + patience).has_value());
    ++early_kills_;
  }

  void verify(bool from_start) {
    native_client client(node_->client_address());
    ledger_.verify(client, workload_.topic, from_start);
    churn_.verify(client, ledger_);
  }

  sequence_of_numbers numbers_;
  ending how_;
  temp_directory folder_;
  chaos_workload workload_;
  chaos_gate gate_;
  chaos_ledger ledger_;
  topic_churn churn_;
  std::unique_ptr<node_process> node_;
  std::vector<std::jthread> threads_;
  std::uint64_t early_kills_ = 0;
};

void run_rounds(std::uint64_t rounds, ending how) {
  const auto seed = number_from("AQUEDUCT_SEED", std::random_device{}());
  INFO("AQUEDUCT_SEED=" << seed);
  chaos_run run(seed, how);
  for (std::uint64_t round = 0; round < rounds && run.violations().empty(); ++round)
    run.round(round);
  if (run.violations().empty())
    run.finish();
  for (const auto& violation : run.violations())
    FAIL_CHECK(violation);
  MESSAGE(rounds << (how == ending::kill ? " kills: " : " stops: ") << run.summary() << ", seed "
                 << seed);
}

} // namespace

TEST_CASE("a node that is killed again and again under load keeps every promise") {
  run_rounds(number_from("AQUEDUCT_KILLS", 8), ending::kill);
}

TEST_CASE("a node that is stopped under load loses nothing and leaves no request open") {
  run_rounds(number_from("AQUEDUCT_STOPS", 4), ending::stop);
}

TEST_SUITE_END();
