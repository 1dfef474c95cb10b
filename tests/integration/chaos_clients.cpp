#include "tests/integration/chaos_clients.hpp"

#include <algorithm>
#include <deque>

namespace aqueduct::test {

// -- the gate -------------------------------------------------------------------------------------

void chaos_gate::open(const address& where) {
  const std::lock_guard lock(mutex_);
  where_ = where;
  ++life_;
  changed_.notify_all();
}

void chaos_gate::finish() {
  const std::lock_guard lock(mutex_);
  finishing_ = true;
  changed_.notify_all();
}

bool chaos_gate::await_parked(std::size_t clients) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, patience, [&] { return parked_ >= clients; });
}

bool chaos_gate::await_acknowledgements(std::int64_t count) {
  std::unique_lock lock(mutex_);
  const auto until = acknowledged_ + count;
  return changed_.wait_for(lock, patience, [&] { return acknowledged_ >= until; });
}

std::optional<address> chaos_gate::next_life(std::uint64_t& seen) {
  std::unique_lock lock(mutex_);
  ++parked_;
  changed_.notify_all();
  changed_.wait(lock, [&] { return finishing_ || life_ > seen; });
  --parked_;
  if (life_ <= seen)
    return std::nullopt;
  seen = life_;
  return where_;
}

bool chaos_gate::is_finishing() const {
  const std::lock_guard lock(mutex_);
  return finishing_;
}

void chaos_gate::acknowledged() {
  const std::lock_guard lock(mutex_);
  ++acknowledged_;
  changed_.notify_all();
}

namespace {

/// What a node that is going down may say.
bool means_unknown(errc code) {
  return code == errc::shutting_down || code == errc::not_leader || code == errc::timed_out;
}

/// Runs `work` in each life of the node until the end.
void live(chaos_gate& gate, chaos_ledger& ledger, const std::string& name,
          const std::function<void(const address&)>& work) {
  std::uint64_t seen = 0;
  // A client that failed goes on waiting with the others, so that the driver can end the round.
  bool failed = false;
  while (const auto where = gate.next_life(seen)) {
    if (failed)
      continue;
    try {
      work(*where);
    } catch (const connection_ended&) {
      // The node's life is over.
    } catch (const refused& why) {
      if (!means_unknown(why.code)) {
        ledger.violation(name + ": " + why.what());
        failed = true;
      }
    } catch (const std::exception& failure) {
      ledger.violation(name + ": " + failure.what());
      failed = true;
    }
  }
}

// -- producers ------------------------------------------------------------------------------------

class producer_client {
public:
  producer_client(const chaos_workload& workload, std::int32_t number, chaos_gate& gate,
                  chaos_ledger& ledger)
      : workload_(workload),
        number_(number),
        is_idempotent_(number < workload.idempotent_producers),
        gate_(gate),
        ledger_(ledger),
        lanes_(static_cast<std::size_t>(workload.partitions)) {}

  void run() {
    live(gate_, ledger_, "producer " + std::to_string(number_),
         [this](const address& where) { work(where); });
  }

private:
  struct batch_under_way {
    std::uint32_t correlation = 0;
    std::int64_t first_number = 0;
    std::int32_t count = 0;
    buffer bytes;
  };
  struct lane {
    std::int64_t next_number = 0;
    std::deque<batch_under_way> under_way;
  };

  void work(const address& where) {
    native_client client(where);
    if (is_idempotent_ && !identity_)
      identity_ = new_producer(client);
    repeat(client);
    for (std::int32_t turn = 0; true; ++turn) {
      const auto partition = turn % workload_.partitions;
      auto& mine = lanes_[static_cast<std::size_t>(partition)];
      const bool finishing = gate_.is_finishing();
      if (!finishing && mine.under_way.size() < workload_.window)
        send(client, partition, next_batch(partition));
      if (finishing && total_under_way() == 0)
        return;
      if (finishing || total_under_way() >= workload_.window * 2)
        if (!receive(client))
          return;
    }
  }

  /// What was under way when the last life ended.
  void repeat(native_client& client) {
    for (std::int32_t partition = 0; partition < workload_.partitions; ++partition) {
      auto& under_way = lanes_[static_cast<std::size_t>(partition)].under_way;
      if (!is_idempotent_)
        under_way.clear();
      for (auto& batch : under_way)
        batch.correlation =
            client.send(produce_request_of(workload_.topic, partition, batch.bytes));
    }
  }

  batch_under_way next_batch(std::int32_t partition) {
    auto& mine = lanes_[static_cast<std::size_t>(partition)];
    batch_under_way batch;
    batch.first_number = mine.next_number;
    batch.count = static_cast<std::int32_t>(1 + mine.next_number % 4);
    std::vector<std::string> values;
    for (std::int32_t i = 0; i < batch.count; ++i)
      values.push_back(value_of({number_, partition, batch.first_number + i}));
    protocol::batch_options options;
    if (is_idempotent_)
      options = sequence_options(*identity_, static_cast<std::int32_t>(batch.first_number));
    if (mine.next_number % 3 == 0)
      options.compression = protocol::codec::lz4;
    batch.bytes = batch_of(values, 1, options);
    mine.next_number += batch.count;
    return batch;
  }

  void send(native_client& client, std::int32_t partition, batch_under_way batch) {
    // Kept first: if the connection breaks in the middle, the batch is one of those under way.
    auto& under_way = lanes_[static_cast<std::size_t>(partition)].under_way;
    under_way.push_back(std::move(batch));
    auto& kept = under_way.back();
    kept.correlation = client.send(produce_request_of(workload_.topic, partition, kept.bytes));
  }

  /// Takes one answer. False when the node is going down.
  bool receive(native_client& client) {
    const auto frame = client.receive();
    const auto answer = must(protocol::decode<protocol::produce_response>(frame.payload));
    const auto& outcome = answer.topics.at(0).partitions.at(0);
    auto& under_way = lanes_.at(static_cast<std::size_t>(outcome.partition)).under_way;
    const auto it =
        std::ranges::find(under_way, frame.header.correlation_id, &batch_under_way::correlation);
    if (it == under_way.end())
      throw std::runtime_error("an answer to no request");
    if (means_unknown(outcome.error))
      return false;
    if (outcome.error != errc::none)
      throw refused({outcome.error, outcome.message});
    ledger_.acknowledged({number_, outcome.partition, it->first_number}, it->count,
                         outcome.base_offset);
    gate_.acknowledged();
    under_way.erase(it);
    return true;
  }

  [[nodiscard]] std::size_t total_under_way() const {
    std::size_t total = 0;
    for (const auto& mine : lanes_)
      total += mine.under_way.size();
    return total;
  }

  const chaos_workload& workload_;
  std::int32_t number_;
  bool is_idempotent_;
  chaos_gate& gate_;
  chaos_ledger& ledger_;
  std::vector<lane> lanes_;
  std::optional<protocol::init_producer_id_response> identity_;
};

// -- readers --------------------------------------------------------------------------------------

class reading_client {
public:
  reading_client(const chaos_workload& workload, chaos_gate& gate, chaos_ledger& ledger)
      : workload_(workload),
        gate_(gate),
        ledger_(ledger),
        next_(static_cast<std::size_t>(workload.partitions), 0) {}

  void fetch_for_ever() {
    live(gate_, ledger_, "the fetching reader", [this](const address& where) {
      native_client client(where);
      while (!gate_.is_finishing())
        fetch_once(client);
    });
  }

  void subscribe_for_ever() {
    live(gate_, ledger_, "the subscriber", [this](const address& where) {
      native_client client(where);
      subscribe(client);
      while (!gate_.is_finishing())
        take_push(client);
    });
  }

private:
  void take(std::int32_t partition, errc error, const std::string& message,
            std::int64_t high_watermark, const buffer_chain& records, const char* reader) {
    if (means_unknown(error))
      return;
    // Also "out of range" is a failure: the position was readable once.
    if (error != errc::none)
      throw refused({error, message});
    auto& next = next_.at(static_cast<std::size_t>(partition));
    for (const auto& record : records_in(records)) {
      if (record.offset < next)
        continue;
      if (record.offset != next)
        throw std::runtime_error("offset " + std::to_string(record.offset) + " came after " +
                                 std::to_string(next - 1));
      ledger_.seen(partition, record, reader);
      ++next;
    }
    ledger_.seen_end(partition, high_watermark, reader);
  }

  void fetch_once(native_client& client) {
    protocol::fetch_request request;
    request.max_wait_ms = 100;
    auto& topic = request.topics.emplace_back();
    topic.name = workload_.topic;
    for (std::int32_t i = 0; i < workload_.partitions; ++i)
      topic.partitions.push_back({i, next_[static_cast<std::size_t>(i)], 1 << 18, -1});
    const auto answer = must(client.call(request));
    for (const auto& part : answer.topics.at(0).partitions)
      take(part.partition, part.error, part.message, part.high_watermark, part.records,
           "the fetching reader");
  }

  void subscribe(native_client& client) {
    protocol::subscribe_request request;
    request.subscription = 1;
    request.topic = workload_.topic;
    request.credit_bytes = credit_bytes;
    for (std::int32_t i = 0; i < workload_.partitions; ++i)
      request.partitions.push_back({i, next_[static_cast<std::size_t>(i)]});
    const auto answer = must(client.call(request));
    for (const auto& part : answer.partitions)
      if (part.error != errc::none && !means_unknown(part.error))
        throw refused({part.error, part.message});
  }

  void take_push(native_client& client) {
    received_frame frame;
    try {
      frame = client.receive(test_clock::now() + std::chrono::milliseconds(200));
    } catch (const nothing_came&) {
      return;
    }
    const auto push = must(protocol::decode<protocol::delivery>(frame.payload));
    take(push.partition, push.error, push.message, push.high_watermark, push.records,
         "the subscriber");
    if (!push.records.empty())
      (void)client.send(
          protocol::credit_request{1, static_cast<std::int64_t>(push.records.size())});
  }

  static constexpr std::int64_t credit_bytes = 1 << 20;

  const chaos_workload& workload_;
  chaos_gate& gate_;
  chaos_ledger& ledger_;
  std::vector<std::int64_t> next_;
};

} // namespace

// -- topics ---------------------------------------------------------------------------------------

void topic_churn::run(native_client& client, const chaos_gate& gate) {
  constexpr std::int64_t alive_max = 4;
  while (!gate.is_finishing()) {
    const auto create = "churn-" + std::to_string(next_++);
    topics_[create] = presence::unknown;
    create_topic(client, create, 2);
    topics_[create] = presence::created;
    append(client, create, 1, {create});
    topics_[create] = presence::filled;
    ++changes_;
    if (next_ <= alive_max)
      continue;
    const auto remove = "churn-" + std::to_string(next_ - alive_max);
    if (topics_[remove] != presence::filled)
      continue;
    topics_[remove] = presence::unknown;
    delete_topic(client, remove);
    topics_[remove] = presence::gone;
    ++changes_;
  }
}

void topic_churn::verify(native_client& client, chaos_ledger& ledger) {
  const auto listed = must(client.call(protocol::list_topics_request{})).topics;
  for (auto& [name, known] : topics_) {
    const bool there = std::ranges::any_of(listed, [&](const auto& t) { return t.name == name; });
    if ((known == presence::created || known == presence::filled) && !there)
      ledger.violation("topic " + name + " was created and is gone");
    if (known == presence::gone && there)
      ledger.violation("topic " + name + " was deleted and is back");
    const bool was_filled = known == presence::filled;
    known = presence::gone;
    if (!there)
      continue;
    const auto values = values_of(read_all(client, name, 1));
    known = values.empty() ? presence::created : presence::filled;
    if (was_filled ? values != std::vector{name}
                   : values.size() > 1 || (!values.empty() && values[0] != name))
      ledger.violation("topic " + name + " has not the record that was written to it");
  }
  // What went long ago need not be remembered.
  std::erase_if(topics_, [](const auto& topic) { return topic.second == presence::gone; });
}

// -- all of them ----------------------------------------------------------------------------------

std::vector<std::jthread> start_clients(const chaos_workload& workload, chaos_gate& gate,
                                        chaos_ledger& ledger, topic_churn& churn) {
  std::vector<std::jthread> threads;
  for (std::int32_t i = 0; i < workload.idempotent_producers + workload.plain_producers; ++i)
    threads.emplace_back([&, i] { producer_client(workload, i, gate, ledger).run(); });
  threads.emplace_back([&] { reading_client(workload, gate, ledger).fetch_for_ever(); });
  threads.emplace_back([&] { reading_client(workload, gate, ledger).subscribe_for_ever(); });
  threads.emplace_back([&] {
    live(gate, ledger, "the operator", [&](const address& where) {
      native_client client(where);
      churn.run(client, gate);
    });
  });
  return threads;
}

} // namespace aqueduct::test
