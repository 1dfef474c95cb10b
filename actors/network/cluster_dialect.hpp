// The cluster protocol on one connection: whole frames to the sink, nothing decoded. The same for
// connections that were dialled and for those that were accepted, once their preface was read.
#pragma once

#include "actors/network/connection.hpp"
#include "actors/peer/link.hpp"
#include "protocol/cluster/messages.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace aqueduct::actors::network {

/// What a connection and its link share.
struct cluster_stream {
  std::uint64_t frame_bytes_max = 0;
  bool dialled = false;
  /// The greeting is over: frames up to `frame_bytes_max` may come.
  std::atomic<bool> established{false};
};

class cluster_dialect : public dialect {
public:
  cluster_dialect(std::weak_ptr<connection> owner, std::shared_ptr<cluster_stream> stream,
                  std::shared_ptr<link_sink> sink);

  [[nodiscard]] std::size_t header_size() const override;
  [[nodiscard]] result<std::size_t> frame_size(const std::byte* header) override;
  [[nodiscard]] result<void> frame(const mutable_buffer& bytes, bool whole_allocation) override;
  void end_of_chunk() override;
  void all_sent() override;
  void closed() override;
  /// Tells a node that has not introduced itself what was wrong.
  void refuse(const error& why) override;
  [[nodiscard]] bool is_established() const override { return stream_->established; }

private:
  std::weak_ptr<connection> owner_;
  std::shared_ptr<cluster_stream> stream_;
  /// Until the connection is closed; nobody when the dial was given up meanwhile.
  std::shared_ptr<link_sink> sink_;
  /// Of the present read.
  std::vector<link_frame> frames_;
  std::size_t frames_bytes_ = 0;
  error why_{errc::connection_lost, "closed by the other node"};
};

/// What a node hears that is not taken.
[[nodiscard]] buffer_chain cluster_refusal_frame(protocol::cluster::refusal why,
                                                 std::string message);

/// Reads the preface of a connection that was accepted, then becomes a cluster_dialect with the
/// sink that `to` gives. A client is told that this is not its port.
[[nodiscard]] std::unique_ptr<dialect>
make_accepting_dialect(const std::shared_ptr<connection>& owner,
                       std::shared_ptr<cluster_stream> stream, std::shared_ptr<link_acceptor> to);

/// A link over a connection.
[[nodiscard]] std::shared_ptr<link> make_link(std::shared_ptr<connection> owner,
                                              std::shared_ptr<cluster_stream> stream);

} // namespace aqueduct::actors::network
