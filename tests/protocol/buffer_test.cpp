#include "protocol/buffer.hpp"
#include "tests/support/sample_bytes.hpp"

#include <doctest/doctest.h>

using namespace aqueduct;
using namespace aqueduct::testing;

TEST_SUITE("protocol.buffer") {

  TEST_CASE("a default buffer is empty and equals every empty buffer") {
    const buffer nothing;
    CHECK(nothing.empty());
    CHECK(nothing.bytes().empty());
    CHECK(nothing == buffer::copy_of(byte_span()));
    CHECK(nothing == buffer::from({}));
    CHECK_FALSE(nothing == buffer::copy_of("x"));
  }

  TEST_CASE("a copy is independent of its source, a taken vector is not copied") {
    auto source = copy(as_bytes("hello"));
    const auto copied = buffer::copy_of(byte_span(source));
    source[0] = std::byte{'j'};
    CHECK(copied.text() == "hello");
    const auto* at = source.data();
    const auto taken = buffer::from(std::move(source));
    CHECK(taken.data() == at);
    CHECK(taken.text() == "jello");
  }

  TEST_CASE("a slice keeps the memory alive when the whole is gone") {
    buffer part;
    {
      const auto whole = buffer::copy_of("the whole");
      part = whole.slice(4, 5);
      CHECK(part.data() == whole.data() + 4);
      CHECK(whole.owner().use_count() == 2);
    }
    CHECK(part.text() == "whole");
    CHECK(part.owner().use_count() == 1);
    CHECK(part.slice(5, 0).empty());
  }

  TEST_CASE("buffers are equal by their bytes, wherever they lie") {
    const auto whole = buffer::copy_of("abab");
    CHECK(whole.slice(0, 2) == whole.slice(2, 2));
    CHECK_FALSE(whole.slice(0, 2) == whole.slice(1, 2));
    CHECK_FALSE(whole.slice(0, 2) == whole.slice(0, 3));
  }

  TEST_CASE("a mutable buffer freezes into the same memory") {
    mutable_buffer memory(4);
    CHECK(memory.size() == 4);
    std::memcpy(memory.data(), "data", 4);
    std::memcpy(memory.slice(1, 2).data(), "on", 2);
    const auto frozen = memory.freeze();
    CHECK(frozen.data() == memory.data());
    CHECK(frozen.text() == "dona");
    CHECK(mutable_buffer().empty());
    CHECK(mutable_buffer(0).bytes().empty());
  }

  TEST_CASE("a chain counts as one sequence and is copied only if it has several parts") {
    buffer_chain chain;
    CHECK(chain.empty());
    CHECK(chain.flatten().empty());
    const auto first = buffer::copy_of("one ");
    chain.append(first);
    chain.append(buffer());
    CHECK(chain.parts().size() == 1);
    CHECK(chain.flatten().data() == first.data());
    chain.append(buffer::copy_of("two"));
    CHECK(chain.size() == 7);
    CHECK(chain.flatten().text() == "one two");
    CHECK(chain == buffer_chain(buffer::copy_of("one two")));
    CHECK_FALSE(chain == buffer_chain(buffer::copy_of("one twp")));
  }

} // TEST_SUITE
