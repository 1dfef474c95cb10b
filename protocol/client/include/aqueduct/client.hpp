// The way into the Aqueduct client library: `#include <aqueduct/client.hpp>`, in the tree and
// installed alike.
#pragma once

#include "protocol/client/client.hpp"
