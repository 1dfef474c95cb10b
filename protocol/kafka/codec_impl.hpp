// The visitors behind codec.hpp. Included only where messages are instantiated: the codec_*.cpp
// files.
#pragma once

#include "protocol/bytes.hpp"
#include "protocol/ids.hpp"
#include "protocol/kafka/codec.hpp"

#include <algorithm>
#include <bit>
#include <limits>
#include <utility>
#include <vector>

namespace aqueduct::protocol::kafka::detail {

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

/// Whether version `version` of a message has the field.
constexpr bool carries(const field& f, std::int16_t version) {
  return version >= f.since && version <= f.until;
}

/// Payload buffers up to this size are copied next to their neighbours; larger ones are shared.
inline constexpr std::size_t share_bytes_min = 1024;

class encoder {
public:
  encoder(std::int16_t version, bool flexible)
      : writer_(out_), version_(version), flexible_(flexible) {}

  template <class T>
  void operator()(const field& f, const T& value) {
    if (!carries(f, version_))
      return;
    if constexpr (is_optional<T>) {
      if (f.tag >= 0)
        note_tagged(f, value);
      else if (value)
        put(*value);
      else if (version_ < f.nullable)
        put(typename T::value_type{});
      else
        put_null(static_cast<const typename T::value_type*>(nullptr));
    } else {
      put(value);
    }
  }

  template <message M>
  void put_message(const M& value) {
    put(value);
  }
  template <std::integral T>
  void put_raw(T value) {
    writer_.write(value);
  }
  /// The tag section of a header: nothing in it.
  void put_no_tags() { writer_.write_varint(0); }

  /// Everything in order: the bytes that were written, with the shared buffers at their places. The
  /// first four are the size of the rest if `framed`.
  [[nodiscard]] buffer_chain finish(bool framed) {
    if (framed)
      store_be(out_.data(), static_cast<std::int32_t>(out_.size() + shared_size_ - 4));
    const auto own = buffer::from(std::move(out_));
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

private:
  template <std::integral T>
  void put(T value) {
    writer_.write(value);
  }
  void put(double value) { writer_.write(std::bit_cast<std::int64_t>(value)); }
  void put(bool value) { writer_.write<std::uint8_t>(value ? 1 : 0); }
  void put(const uuid& value) { writer_.write_bytes(std::as_bytes(std::span(value.bytes))); }
  void put(const std::string& value) {
    constexpr std::size_t old_bytes_max = 0x7fff;
    const auto text = std::string_view(value).substr(0, flexible_ ? value.size() : old_bytes_max);
    if (flexible_)
      writer_.write_varint(text.size() + 1);
    else
      writer_.write(static_cast<std::int16_t>(text.size()));
    writer_.write_bytes(text);
  }
  void put(const buffer& value) {
    put_count(value.size());
    put_part(value);
  }
  void put(const buffer_chain& value) {
    put_count(value.size());
    for (const auto& part : value.parts())
      put_part(part);
  }
  template <class T>
  void put(const std::vector<T>& values) {
    put_count(values.size());
    for (const auto& value : values)
      put(value);
  }
  template <class T>
  requires requires { &T::template fields<const T, encoder>; }
  void put(const T& value) {
    auto outer = std::exchange(tagged_, {});
    T::fields(value, *this);
    if (flexible_) {
      writer_.write_varint(tagged_.size());
      for (const auto& [tag, bytes] : tagged_) {
        writer_.write_varint(tag);
        writer_.write_varint(bytes.size());
        writer_.write_bytes(bytes);
      }
    }
    tagged_ = std::move(outer);
  }

  /// Lengths of everything but strings.
  void put_count(std::size_t count) {
    if (flexible_)
      writer_.write_varint(count + 1);
    else
      writer_.write(static_cast<std::int32_t>(count));
  }
  template <class T>
  void put_null(const T*) {
    if (flexible_)
      writer_.write_varint(0);
    else if constexpr (std::is_same_v<T, std::string>)
      writer_.write<std::int16_t>(-1);
    else
      writer_.write<std::int32_t>(-1);
  }
  void put_part(const buffer& part) {
    if (part.size() < share_bytes_min) {
      writer_.write_bytes(part.bytes());
    } else {
      shared_.emplace_back(out_.size(), part);
      shared_size_ += part.size();
    }
  }
  template <class T>
  void note_tagged(const field& f, const std::optional<T>& value) {
    if (!value || !flexible_)
      return;
    encoder inner(version_, true);
    inner.put(*value);
    tagged_.emplace_back(static_cast<std::uint64_t>(f.tag), std::move(inner.out_));
  }

  std::vector<std::byte> out_;
  byte_writer writer_;
  std::int16_t version_;
  bool flexible_;
  std::vector<std::pair<std::size_t, buffer>> shared_;
  std::size_t shared_size_ = 0;
  /// Of the struct that is being written.
  std::vector<std::pair<std::uint64_t, std::vector<std::byte>>> tagged_;
};

/// An empty value to read into. Not `emplace()`: Clang 14 takes a nested struct whose members have
/// initializers for one that cannot be made from nothing.
template <class T>
[[nodiscard]] T& begun(std::optional<T>& value) {
  return value.emplace(T{});
}

/// Gives one tagged field its value.
template <class Decoder>
class tagged_reader {
public:
  tagged_reader(Decoder& from, std::uint64_t tag, std::int16_t version)
      : from_(from), tag_(tag), version_(version) {}

  template <class T>
  void operator()(const field& f, T& value) {
    if constexpr (is_optional<T>)
      if (f.tag >= 0 && static_cast<std::uint64_t>(f.tag) == tag_ && carries(f, version_)) {
        from_.take(begun(value));
        known_ = true;
      }
  }
  [[nodiscard]] bool is_known() const { return known_; }

private:
  Decoder& from_;
  std::uint64_t tag_;
  std::int16_t version_;
  bool known_ = false;
};

class decoder {
public:
  decoder(const buffer& payload, std::int16_t version, bool flexible)
      : payload_(payload),
        reader_(payload.bytes()),
        version_(version),
        flexible_(flexible),
        allocation_left_(64 * 1024 + 16 * payload.size()) {}

  template <class T>
  void operator()(const field& f, T& value) {
    if (!carries(f, version_) || f.tag >= 0 || reader_.failed())
      return;
    if constexpr (is_optional<T>) {
      if (!take_nullable(begun(value)))
        value.reset();
      if (!value && version_ < f.nullable)
        reader_.fail();
    } else {
      take(value);
    }
    note_failure(f);
  }

  template <class T>
  requires requires { &T::template fields<T, decoder>; }
  void take(T& value) {
    T::fields(value, *this);
    if (flexible_)
      take_tags(value);
  }
  template <std::integral T>
  void take(T& value) {
    value = reader_.read<T>();
  }
  void take(double& value) { value = std::bit_cast<double>(reader_.read<std::int64_t>()); }
  void take(bool& value) { value = reader_.read<std::uint8_t>() != 0; }
  void take(uuid& value) {
    const auto bytes = reader_.read_bytes(value.bytes.size());
    if (!reader_.failed())
      std::memcpy(value.bytes.data(), bytes.data(), bytes.size());
  }
  template <class T>
  requires(std::is_same_v<T, std::string> || std::is_same_v<T, buffer> ||
           std::is_same_v<T, buffer_chain>) void take(T& value) {
    if (!take_nullable(value))
      reader_.fail();
  }
  template <class T>
  void take(std::vector<T>& values) {
    if (!take_nullable(values))
      reader_.fail();
  }

  [[nodiscard]] bool failed() const { return reader_.failed(); }
  [[nodiscard]] std::string_view failed_field() const { return failed_field_; }

private:
  // False: it was null.
  bool take_nullable(std::string& value) {
    const auto size = flexible_ ? take_compact_count() : widen(reader_.read<std::int16_t>());
    if (size < 0)
      return false;
    const auto bytes = reader_.read_bytes(static_cast<std::size_t>(size));
    if (charge(bytes.size()))
      value.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return true;
  }
  bool take_nullable(buffer& value) {
    const auto size = take_count();
    if (size < 0)
      return false;
    const auto bytes = reader_.read_bytes(static_cast<std::size_t>(size));
    if (!bytes.empty())
      value =
          payload_.slice(static_cast<std::size_t>(bytes.data() - payload_.data()), bytes.size());
    return true;
  }
  bool take_nullable(buffer_chain& value) {
    buffer bytes;
    if (!take_nullable(bytes))
      return false;
    if (charge(sizeof bytes))
      value = buffer_chain(std::move(bytes));
    return true;
  }
  template <class T>
  bool take_nullable(std::vector<T>& values) {
    const auto count = take_count();
    if (count < 0)
      return false;
    // Every element takes a byte at least.
    if (static_cast<std::size_t>(count) > reader_.remaining()) {
      reader_.fail();
      return true;
    }
    if (!charge(static_cast<std::size_t>(count) * sizeof(T)))
      return true;
    values.reserve(static_cast<std::size_t>(count));
    for (std::int64_t i = 0; i < count && !reader_.failed(); ++i)
      take(values.emplace_back());
    return true;
  }
  bool take_nullable(uuid& value) {
    take(value);
    return true;
  }
  template <std::integral T>
  bool take_nullable(T& value) {
    take(value);
    return true;
  }
  template <class T>
  requires requires { &T::template fields<T, decoder>; }
  bool take_nullable(T& value) {
    take(value);
    return true;
  }

  static std::int64_t widen(std::int64_t size) { return std::max<std::int64_t>(size, -1); }
  /// A length or count; -1 is null.
  std::int64_t take_count() {
    return flexible_ ? take_compact_count() : widen(reader_.read<std::int32_t>());
  }
  std::int64_t take_compact_count() {
    const auto more = reader_.read_varint();
    if (more > std::uint64_t{1} << 32) {
      reader_.fail();
      return 0;
    }
    return static_cast<std::int64_t>(more) - 1;
  }
  template <class T>
  void take_tags(T& value) {
    const auto count = reader_.read_varint();
    for (std::uint64_t i = 0; i < count && !reader_.failed(); ++i) {
      const auto tag = reader_.read_varint();
      const auto size = reader_.read_varint();
      if (size > reader_.remaining()) {
        reader_.fail();
        return;
      }
      const auto left = reader_.remaining() - static_cast<std::size_t>(size);
      tagged_reader<decoder> reader(*this, tag, version_);
      T::fields(value, reader);
      if (!reader.is_known())
        (void)reader_.read_bytes(static_cast<std::size_t>(size));
      if (reader_.remaining() != left)
        reader_.fail();
    }
  }
  bool charge(std::size_t bytes) {
    if (reader_.failed())
      return false;
    if (bytes > allocation_left_) {
      reader_.fail();
      return false;
    }
    allocation_left_ -= bytes;
    return true;
  }
  void note_failure(const field& f) {
    if (reader_.failed() && failed_field_.empty())
      failed_field_ = f.name;
  }

  const buffer& payload_;
  byte_reader reader_;
  std::int16_t version_;
  bool flexible_;
  std::size_t allocation_left_;
  std::string_view failed_field_;
};

} // namespace aqueduct::protocol::kafka::detail

namespace aqueduct::protocol::kafka {

template <message M>
result<M> decode(const buffer& payload, std::int16_t version) {
  detail::decoder from(payload, version, describe(M::api).is_flexible(version));
  M value;
  from.take(value);
  if (from.failed())
    return unexpected(errc::invalid_request,
                      std::string(M::title) + " of version " + std::to_string(version) +
                          " cannot be read" +
                          (from.failed_field().empty()
                               ? std::string()
                               : ", from field " + std::string(from.failed_field()) + " on"));
  return value;
}

template <message M>
buffer_chain encode(const M& message, std::int16_t version) {
  detail::encoder to(version, describe(M::api).is_flexible(version));
  to.put_message(message);
  return to.finish(false);
}

template <message M>
buffer_chain encode_response(const M& message, std::int16_t version, std::int32_t correlation_id) {
  const bool flexible = describe(M::api).is_flexible(version);
  detail::encoder to(version, flexible);
  to.put_raw(std::int32_t{0});
  to.put_raw(correlation_id);
  // Who asks ApiVersions does not know yet what is spoken here: its header is the oldest one.
  if (flexible && M::api != api_key::api_versions)
    to.put_no_tags();
  to.put_message(message);
  return to.finish(true);
}

} // namespace aqueduct::protocol::kafka

#define AQUEDUCT_KAFKA_MESSAGE(M)                                                                  \
  template result<M> decode<M>(const buffer&, std::int16_t);                                       \
  template buffer_chain encode<M>(const M&, std::int16_t);                                         \
  template buffer_chain encode_response<M>(const M&, std::int16_t, std::int32_t);
