// The reference of the native protocol as a document, generated from the message definitions.
#pragma once

#include <string>

namespace aqueduct::protocol {

/// docs/protocol.md, in Markdown.
[[nodiscard]] std::string protocol_reference();

} // namespace aqueduct::protocol
