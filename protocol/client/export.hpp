// Marks what the shared library libaqueduct-client exports. Everything else in it is hidden.
#pragma once

#define AQUEDUCT_CLIENT_API __attribute__((visibility("default")))
