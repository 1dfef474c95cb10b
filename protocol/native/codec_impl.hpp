// The visitors behind codec.hpp. Included only where
// messages are instantiated: the codec_*.cpp files and those of other rooms' own definitions.
#pragma once

#include "protocol/bytes.hpp"
#include "protocol/ids.hpp"
#include "protocol/native/codec.hpp"

#include <limits>
#include <set>
#include <type_traits>
#include <variant>

namespace aqueduct::protocol::detail {

template <class T>
inline constexpr bool is_vector = false;
template <class T>
inline constexpr bool is_vector<std::vector<T>> = true;
template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;
template <class T>
inline constexpr bool is_variant = false;
template <class... Ts>
inline constexpr bool is_variant<std::variant<Ts...>> = true;

/// Payload buffers up to this size are copied next to their neighbours; larger ones are shared.
inline constexpr std::size_t share_bytes_min = 1024;

class encoder {
public:
  encoder(std::vector<std::byte>& out, std::uint16_t version)
      : out_(out), writer_(out), version_(version) {}

  template <class T>
  void operator()(const field& f, const T& value) {
    if (f.since <= static_cast<int>(version_))
      put(value);
  }

  /// Everything in order: the bytes that were written, with the shared buffers at their places.
  [[nodiscard]] buffer_chain finish() {
    buffer own = buffer::from(std::move(out_));
    buffer_chain chain;
    std::size_t from = 0;
    for (auto& [at, shared] : shared_) {
      chain.append(own.slice(from, at - from));
      chain.append(std::move(shared));
      from = at;
    }
    chain.append(own.slice(from, own.size() - from));
    return chain;
  }

  [[nodiscard]] std::size_t total_size() const { return out_.size() + shared_size_; }

private:
  template <std::integral T>
  void put(T value) {
    writer_.write(value);
  }
  void put(bool value) { writer_.write<std::uint8_t>(value ? 1 : 0); }
  void put(const std::string& value) {
    writer_.write_varint(value.size());
    writer_.write_bytes(value);
  }
  void put(const uuid& value) { writer_.write_bytes(std::as_bytes(std::span(value.bytes))); }
  void put(const buffer_chain& value) {
    writer_.write_varint(value.size());
    for (const auto& part : value.parts())
      put_part(part);
  }
  void put(const buffer& value) {
    writer_.write_varint(value.size());
    put_part(value);
  }
  template <class T>
  requires std::is_enum_v<T>
  void put(T value) { put(static_cast<std::underlying_type_t<T>>(value)); }
  template <class T>
  void put(const std::optional<T>& value) {
    put(value.has_value());
    if (value)
      put(*value);
  }
  template <class T>
  void put(const std::vector<T>& values) {
    writer_.write_varint(values.size());
    for (const auto& value : values)
      put(value);
  }
  template <class... Ts>
  void put(const std::variant<Ts...>& value) {
    put(static_cast<std::uint8_t>(value.index()));
    std::visit([this](const auto& one) { this->put(one); }, value);
  }
  template <defined M>
  void put(const M& message) {
    M::fields(message, *this);
  }

  void put_part(const buffer& part) {
    if (part.size() < share_bytes_min) {
      writer_.write_bytes(part.bytes());
    } else {
      shared_.emplace_back(out_.size(), part);
      shared_size_ += part.size();
    }
  }

  std::vector<std::byte>& out_;
  byte_writer writer_;
  std::uint16_t version_;
  std::vector<std::pair<std::size_t, buffer>> shared_;
  std::size_t shared_size_ = 0;
};

class decoder {
public:
  decoder(const buffer& payload, std::uint16_t version)
      : payload_(payload),
        reader_(payload.bytes()),
        version_(version),
        allocation_left_(64 * 1024 + 8 * payload.size()) {}

  template <class T>
  void operator()(const field& f, T& value) {
    if (f.since > static_cast<int>(version_) || reader_.failed())
      return;
    take(value);
    if (reader_.failed() && failed_field_.empty())
      failed_field_ = f.name;
  }

  [[nodiscard]] bool failed() const { return reader_.failed(); }
  [[nodiscard]] std::string_view failed_field() const { return failed_field_; }
  [[nodiscard]] std::size_t remaining() const { return reader_.remaining(); }
  [[nodiscard]] bool out_of_budget() const { return out_of_budget_; }

private:
  template <std::integral T>
  void take(T& value) {
    value = reader_.read<T>();
  }
  void take(bool& value) {
    const auto byte = reader_.read<std::uint8_t>();
    if (byte > 1)
      reader_.fail();
    value = byte == 1;
  }
  void take(std::string& value) {
    const auto bytes = reader_.read_bytes(reader_.read_count(1));
    charge(bytes.size());
    value.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  void take(uuid& value) {
    const auto bytes = reader_.read_bytes(value.bytes.size());
    if (!bytes.empty())
      std::memcpy(value.bytes.data(), bytes.data(), value.bytes.size());
  }
  void take(buffer_chain& value) {
    buffer bytes;
    take(bytes);
    value = buffer_chain(std::move(bytes));
  }
  void take(buffer& value) {
    const auto size = reader_.read_count(1);
    const auto at = static_cast<std::size_t>(reader_.position() - payload_.data());
    if (!reader_.failed() && size > 0) {
      (void)reader_.read_bytes(size);
      value = payload_.slice(at, size);
    }
  }
  template <class T>
  requires std::is_enum_v<T>
  void take(T& value) {
    std::underlying_type_t<T> number{};
    take(number);
    value = static_cast<T>(number);
  }
  template <class T>
  void take(std::optional<T>& value) {
    bool present = false;
    take(present);
    if (present)
      take(value.emplace());
  }
  template <class T>
  void take(std::vector<T>& values) {
    // The count is a claim: memory grows with what is really there.
    for (auto left = reader_.read_count(1); left > 0 && !reader_.failed(); --left) {
      charge(sizeof(T));
      if (!reader_.failed())
        take(values.emplace_back());
    }
  }
  template <class... Ts>
  void take(std::variant<Ts...>& value) {
    const auto number = reader_.read<std::uint8_t>();
    std::uint8_t at = 0;
    const bool known =
        ((number == at++ ? (take(value.template emplace<Ts>()), true) : false) || ...);
    if (!known)
      reader_.fail();
  }
  template <defined M>
  void take(M& message) {
    M::fields(message, *this);
  }

  void charge(std::size_t bytes) {
    if (bytes > allocation_left_) {
      out_of_budget_ = true;
      reader_.fail();
      return;
    }
    allocation_left_ -= bytes;
  }

  const buffer& payload_;
  byte_reader reader_;
  std::uint16_t version_;
  std::size_t allocation_left_;
  bool out_of_budget_ = false;
  std::string_view failed_field_;
};

class printer {
public:
  template <class T>
  void operator()(const field& f, const T& value) {
    if (!first_)
      text_ += ", ";
    first_ = false;
    text_.append(f.name).append(": ");
    put(value);
  }

  template <defined M>
  void put(const M& message) {
    text_.append(M::info.name).append("{");
    first_ = true;
    M::fields(message, *this);
    first_ = false;
    text_ += '}';
  }

  [[nodiscard]] std::string take_text() { return std::move(text_); }

private:
  template <std::integral T>
  void put(T value) {
    text_ += std::to_string(value);
  }
  void put(bool value) { text_ += value ? "true" : "false"; }
  void put(errc value) { text_ += to_string(value); }
  void put(const std::string& value) { text_.append("\"").append(value).append("\""); }
  void put(const uuid& value) { text_ += to_string(value); }
  void put(const buffer_chain& value) { put_size(value.size()); }
  void put(const buffer& value) { put_size(value.size()); }
  void put_size(std::size_t bytes) {
    text_.append("<").append(std::to_string(bytes)).append(" bytes>");
  }
  template <class... Ts>
  void put(const std::variant<Ts...>& value) {
    std::visit([this](const auto& one) { this->put(one); }, value);
  }
  template <class T>
  requires std::is_enum_v<T>
  void put(T value) { put(static_cast<std::underlying_type_t<T>>(value)); }
  template <class T>
  void put(const std::optional<T>& value) {
    if (value)
      put(*value);
    else
      text_ += "absent";
  }
  template <class T>
  void put(const std::vector<T>& values) {
    text_ += '[';
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (i > 0)
        text_ += ", ";
      put(values[i]);
    }
    text_ += ']';
  }

  std::string text_;
  bool first_ = true;
};

/// Collects the definition of a message and of the structs within it.
class documenter {
public:
  template <defined M>
  void document() {
    if (!seen_.insert(M::info.name).second)
      return;
    const auto slot = messages_.size();
    messages_.push_back({M::info, {}});
    M sample;
    documenter_fields visitor{*this, slot};
    M::fields(sample, visitor);
  }

  [[nodiscard]] std::vector<message_reference> take() { return std::move(messages_); }

private:
  struct documenter_fields {
    documenter& self;
    std::size_t slot;

    template <class T>
    void operator()(const field& f, T&) {
      auto type = self.type_name<T>();
      self.messages_[slot].fields.push_back({f, std::move(type)});
    }
  };

  template <class T>
  std::string type_name() {
    if constexpr (std::is_same_v<T, bool>) {
      return "bool";
    } else if constexpr (std::is_same_v<T, std::string>) {
      return "string";
    } else if constexpr (std::is_same_v<T, uuid>) {
      return "uuid";
    } else if constexpr (std::is_same_v<T, buffer_chain> || std::is_same_v<T, buffer>) {
      return "bytes";
    } else if constexpr (is_variant<T>) {
      return "one of (uint8) " + alternatives(static_cast<const T*>(nullptr));
    } else if constexpr (is_vector<T>) {
      return "array of " + type_name<typename T::value_type>();
    } else if constexpr (is_optional<T>) {
      return "optional " + type_name<typename T::value_type>();
    } else if constexpr (std::is_same_v<T, errc>) {
      return "error code (uint16)";
    } else if constexpr (std::is_enum_v<T>) {
      return type_name<std::underlying_type_t<T>>();
    } else if constexpr (defined<T>) {
      document<T>();
      return std::string(T::info.name);
    } else {
      static_assert(std::is_integral_v<T>);
      return (std::is_signed_v<T> ? "int" : "uint") + std::to_string(sizeof(T) * 8);
    }
  }

  template <class... Ts>
  std::string alternatives(const std::variant<Ts...>*) {
    std::string names;
    int number = 0;
    ((names += (number > 0 ? ", " : "") + std::to_string(number) + " " + type_name<Ts>(), ++number),
     ...);
    return names;
  }

  std::set<std::string_view> seen_;
  std::vector<message_reference> messages_;
};

} // namespace aqueduct::protocol::detail

namespace aqueduct::protocol {

template <defined M>
buffer_chain encode_frame(const frame_header& header, const M& message) {
  std::vector<std::byte> out;
  out.reserve(256);
  out.resize(frame_header_size);
  detail::encoder encode_fields(out, header.version);
  M::fields(message, encode_fields);
  frame_header sized = header;
  sized.length = static_cast<std::uint32_t>(encode_fields.total_size() - 4);
  write_frame_header(out.data(), sized);
  return encode_fields.finish();
}

template <defined M>
buffer encode(const M& message, std::uint16_t version) {
  std::vector<std::byte> out;
  detail::encoder encode_fields(out, version);
  M::fields(message, encode_fields);
  return encode_fields.finish().flatten();
}

template <defined M>
result<M> decode(const buffer& payload, std::uint16_t version) {
  M message;
  detail::decoder decode_fields(payload, version);
  M::fields(message, decode_fields);
  const std::string name(M::info.name);
  if (decode_fields.out_of_budget())
    return unexpected(errc::invalid_request,
                      name + " has more elements than a message of its size may have");
  if (decode_fields.failed())
    return unexpected(errc::invalid_request, name + " is cut short or malformed in field '" +
                                                 std::string(decode_fields.failed_field()) + "'");
  if (decode_fields.remaining() > 0)
    return unexpected(errc::invalid_request, name + " is followed by " +
                                                 std::to_string(decode_fields.remaining()) +
                                                 " bytes that do not belong to it");
  return message;
}

template <defined M>
std::string print(const M& message) {
  detail::printer visitor;
  visitor.put(message);
  return visitor.take_text();
}

template <defined M>
std::vector<message_reference> reference() {
  detail::documenter visitor;
  visitor.document<M>();
  return visitor.take();
}

} // namespace aqueduct::protocol

/// Use at global scope or in namespace aqueduct::protocol.
#define AQUEDUCT_INSTANTIATE_CODEC(M)                                                              \
  template aqueduct::buffer_chain aqueduct::protocol::encode_frame<M>(                             \
      const aqueduct::protocol::frame_header&, const M&);                                          \
  template aqueduct::buffer aqueduct::protocol::encode<M>(const M&, std::uint16_t);                \
  template aqueduct::result<M> aqueduct::protocol::decode<M>(const aqueduct::buffer&,              \
                                                             std::uint16_t);                       \
  template std::string aqueduct::protocol::print<M>(const M&);                                     \
  template std::vector<aqueduct::protocol::message_reference> aqueduct::protocol::reference<M>();
