#include "actors/environment.hpp"

#include "protocol/bytes.hpp"

#include <chrono>
#include <mutex>
#include <random>

namespace aqueduct::actors {

namespace {

class system_environment : public environment {
public:
  system_environment() {
    std::random_device device;
    std::seed_seq seed{device(), device(), device(), device()};
    generator_.seed(seed);
  }

  std::int64_t now_ms() override {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
  }

  std::int64_t steady_ms() override {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
  }

  std::uint64_t random() override {
    const std::lock_guard lock(mutex_);
    return generator_();
  }

private:
  std::mutex mutex_;
  std::mt19937_64 generator_;
};

} // namespace

uuid random_uuid(environment& env) {
  std::byte bytes[16];
  store_be(bytes, env.random());
  store_be(bytes + 8, env.random());
  uuid id;
  std::memcpy(id.bytes.data(), bytes, sizeof bytes);
  id.bytes[6] = static_cast<std::uint8_t>((id.bytes[6] & 0x0f) | 0x40);
  id.bytes[8] = static_cast<std::uint8_t>((id.bytes[8] & 0x3f) | 0x80);
  return id;
}

std::shared_ptr<environment> make_system_environment() {
  return std::make_shared<system_environment>();
}

} // namespace aqueduct::actors
