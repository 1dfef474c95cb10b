#include "actors/network/cluster_dialect.hpp"

#include "protocol/cluster/messages.hpp"
#include "protocol/native/codec.hpp"
#include "protocol/native/messages.hpp"

#include <cstring>
#include <utility>

namespace aqueduct::actors::network {

namespace {

namespace wire = protocol::cluster;

class connection_link : public link {
public:
  connection_link(std::shared_ptr<connection> owner, std::shared_ptr<cluster_stream> stream)
      : owner_(std::move(owner)), stream_(std::move(stream)) {}
  ~connection_link() override { owner_->finish(); }

  [[nodiscard]] bool write(buffer_chain bytes) override { return owner_->send(bytes); }
  void establish() override { stream_->established = true; }
  void close(bool after_sending) override {
    if (after_sending)
      owner_->finish();
    else
      owner_->close();
  }
  [[nodiscard]] std::string name() const override { return owner_->peer(); }

private:
  std::shared_ptr<connection> owner_;
  std::shared_ptr<cluster_stream> stream_;
};

class accepting_dialect : public dialect {
public:
  accepting_dialect(std::weak_ptr<connection> owner, std::shared_ptr<cluster_stream> stream,
                    std::shared_ptr<link_acceptor> to)
      : owner_(std::move(owner)), stream_(std::move(stream)), to_(std::move(to)) {}

  [[nodiscard]] std::size_t header_size() const override { return 4; }

  [[nodiscard]] result<std::size_t> frame_size(const std::byte* header) override {
    is_client_ = std::memcmp(header, protocol::native_preface.data(), header_size()) == 0;
    if (is_client_)
      return unexpected(errc::invalid_request, "this is the port for other nodes "
                                               "(cluster.listen); clients connect to `listen`");
    if (std::memcmp(header, wire::preface.data(), header_size()) != 0)
      return unexpected(errc::invalid_request, "the first bytes are not those of a node");
    is_node_ = true;
    return wire::preface.size();
  }

  [[nodiscard]] result<void> frame(const mutable_buffer& bytes, bool) override {
    const auto owner = owner_.lock();
    owner->finish_request(bytes.size());
    if (std::memcmp(bytes.data(), wire::preface.data(), bytes.size()) != 0)
      return unexpected(errc::unsupported_version,
                        "this version of the cluster protocol's preface is unknown");
    auto sink = to_->accepted(make_link(owner, stream_));
    owner->become(std::make_unique<cluster_dialect>(owner_, stream_, std::move(sink)));
    return {};
  }

  void end_of_chunk() override {}
  void closed() override {}

  void refuse(const error& why) override {
    const auto owner = owner_.lock();
    if (!owner)
      return;
    if (is_client_) {
      protocol::error_response response;
      response.message = why.message;
      (void)owner->send(
          protocol::encode_frame({0, protocol::frame_kind::response, protocol::api_key::hello,
                                  protocol::current_version, why.code, 0},
                                 response));
    } else if (is_node_) {
      (void)owner->send(cluster_refusal_frame(wire::refusal::unknown_version, why.message));
    }
  }

  [[nodiscard]] bool is_established() const override { return false; }

private:
  std::weak_ptr<connection> owner_;
  std::shared_ptr<cluster_stream> stream_;
  std::shared_ptr<link_acceptor> to_;
  bool is_client_ = false;
  bool is_node_ = false;
};

} // namespace

buffer_chain cluster_refusal_frame(wire::refusal why, std::string message) {
  wire::hello_answer answer;
  answer.refused = why;
  answer.message = std::move(message);
  return protocol::encode_frame(
      {0, protocol::frame_kind::response, wire::hello_key, wire::hello_version, errc::none, 0},
      answer);
}

std::unique_ptr<dialect> make_accepting_dialect(const std::shared_ptr<connection>& owner,
                                                std::shared_ptr<cluster_stream> stream,
                                                std::shared_ptr<link_acceptor> to) {
  return std::make_unique<accepting_dialect>(owner, std::move(stream), std::move(to));
}

std::shared_ptr<link> make_link(std::shared_ptr<connection> owner,
                                std::shared_ptr<cluster_stream> stream) {
  return std::make_shared<connection_link>(std::move(owner), std::move(stream));
}

cluster_dialect::cluster_dialect(std::weak_ptr<connection> owner,
                                 std::shared_ptr<cluster_stream> stream,
                                 std::shared_ptr<link_sink> sink)
    : owner_(std::move(owner)), stream_(std::move(stream)), sink_(std::move(sink)) {}

std::size_t cluster_dialect::header_size() const {
  return protocol::frame_header_size;
}

result<std::size_t> cluster_dialect::frame_size(const std::byte* header) {
  const auto limit = is_established() ? static_cast<std::size_t>(stream_->frame_bytes_max)
                                      : protocol::handshake_frame_bytes_max;
  const auto read = protocol::read_frame_header(header, limit);
  if (!read)
    return read.propagate();
  return read->length + sizeof read->length;
}

result<void> cluster_dialect::frame(const mutable_buffer& bytes, bool) {
  const auto header = *protocol::read_frame_header(bytes.data(), bytes.size());
  frames_.push_back({header, bytes.freeze().slice(protocol::frame_header_size,
                                                  bytes.size() - protocol::frame_header_size)});
  frames_bytes_ += bytes.size();
  // The first frame of a node that was dialled is its answer, and what follows it may be large.
  if (stream_->dialled)
    stream_->established = true;
  return {};
}

void cluster_dialect::end_of_chunk() {
  if (frames_.empty() || !sink_)
    return;
  link_frames arrived;
  arrived.frames = std::exchange(frames_, {});
  const auto bytes = std::exchange(frames_bytes_, 0);
  arrived.charge = std::shared_ptr<const void>(this, [owner = owner_, bytes](const void*) {
    if (const auto alive = owner.lock())
      alive->finish_request(bytes);
  });
  sink_->arrived(std::move(arrived));
}

void cluster_dialect::all_sent() {
  if (sink_)
    sink_->sent();
}

void cluster_dialect::closed() {
  if (const auto sink = std::exchange(sink_, nullptr))
    sink->closed(why_);
}

void cluster_dialect::refuse(const error& why) {
  why_ = why;
  const auto owner = owner_.lock();
  if (owner && !is_established() && !stream_->dialled)
    (void)owner->send(cluster_refusal_frame(wire::refusal::malformed, why.message));
}

} // namespace aqueduct::actors::network
