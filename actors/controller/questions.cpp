#include "actors/controller/questions.hpp"

#include "protocol/native/codec_impl.hpp"

#include <array>
#include <utility>

namespace aqueduct::actors {

namespace {

/// Version of the body, tag, whether relayed; then the body.
constexpr std::uint8_t format_version = state_version;
constexpr std::size_t prefix_bytes = 3;

template <std::size_t Tag>
result<controller_question_body> decode_as(const buffer& body, std::uint16_t version) {
  auto decoded =
      protocol::decode<std::variant_alternative_t<Tag, controller_question_body>>(body, version);
  if (!decoded)
    return decoded.propagate();
  return controller_question_body(std::in_place_index<Tag>, std::move(*decoded));
}

using decode_function = result<controller_question_body> (*)(const buffer&, std::uint16_t);

template <std::size_t... Tags>
constexpr auto make_decoders(std::index_sequence<Tags...>) {
  return std::array<decode_function, sizeof...(Tags)>{&decode_as<Tags>...};
}

constexpr auto decoders =
    make_decoders(std::make_index_sequence<std::variant_size_v<controller_question_body>>());

} // namespace

controller_answer answer_of(const topic_record& topic) {
  controller_answer answer;
  answer.id = topic.id;
  answer.partitions = static_cast<std::int32_t>(topic.partitions.size());
  answer.replication = topic.replication();
  return answer;
}

buffer encode(const controller_question& question) {
  std::vector<std::byte> bytes{std::byte{format_version},
                               static_cast<std::byte>(question.body.index()),
                               static_cast<std::byte>(question.relayed ? 1 : 0)};
  std::visit(
      [&](const auto& what) {
        const auto body = protocol::encode(what, format_version);
        bytes.insert(bytes.end(), body.bytes().begin(), body.bytes().end());
      },
      question.body);
  return buffer::from(std::move(bytes));
}

result<controller_question> decode_controller_question(const buffer& bytes) {
  if (bytes.size() < prefix_bytes)
    return unexpected(errc::invalid_request, "a question to the controller has no prefix");
  const auto version = static_cast<unsigned>(bytes.data()[0]);
  if (version < 1 || version > format_version)
    return unexpected(errc::unsupported_version, "questions to the controller have versions 1 to " +
                                                     std::to_string(format_version) +
                                                     " here, not " + std::to_string(version));
  const auto tag = static_cast<std::size_t>(bytes.data()[1]);
  if (tag >= decoders.size())
    return unexpected(errc::unsupported_version, "this node does not know the question " +
                                                     std::to_string(tag) + " to the controller");
  auto body = decoders[tag](bytes.slice(prefix_bytes, bytes.size() - prefix_bytes),
                            static_cast<std::uint16_t>(version));
  if (!body)
    return body.propagate();
  return controller_question{bytes.data()[2] != std::byte{0}, std::move(*body)};
}

} // namespace aqueduct::actors

AQUEDUCT_INSTANTIATE_CODEC(aqueduct::actors::controller_answer)
