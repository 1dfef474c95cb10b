// The messages about what clients may use. Fields in the order of the wire, by the names that the
// protocol gives them.
#pragma once

#include "protocol/kafka/definition.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace aqueduct::protocol::kafka {

/// A part of what a quota is for: a user, a client id. No name: the default.
struct quota_entity {
  std::string entity_type;
  std::optional<std::string> entity_name;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"entity_type"}, m.entity_type);
    v(field{"entity_name"}, m.entity_name);
  }
  friend bool operator==(const quota_entity&, const quota_entity&) = default;
};

/// DescribeClientQuotasRequest, versions 0 to 1.
struct describe_client_quotas_request {
  struct component_entry {
    std::string entity_type;
    std::int8_t match_type = 0;
    std::optional<std::string> match;

    template <class M, class V>
    static void fields(M& m, V& v) {
      v(field{"entity_type"}, m.entity_type);
      v(field{"match_type"}, m.match_type);
      v(field{"match"}, m.match);
    }
    friend bool operator==(const component_entry&, const component_entry&) = default;
  };
  static constexpr api_key api = api_key::describe_client_quotas;
  static constexpr std::string_view title = "DescribeClientQuotasRequest";

  std::vector<component_entry> components;
  bool strict = false;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"components"}, m.components);
    v(field{"strict"}, m.strict);
  }
  friend bool operator==(const describe_client_quotas_request&,
                         const describe_client_quotas_request&) = default;
};

/// DescribeClientQuotasResponse, versions 0 to 1.
struct describe_client_quotas_response {
  struct quota_entry {
    struct value_entry {
      std::string key;
      double value = 0;

      template <class M, class V>
      static void fields(M& m, V& v) {
        v(field{"key"}, m.key);
        v(field{"value"}, m.value);
      }
      friend bool operator==(const value_entry&, const value_entry&) = default;
    };
    std::vector<quota_entity> entity;
    std::vector<value_entry> values;

    template <class M, class V>
    static void fields(M& m, V& v) {
      v(field{"entity"}, m.entity);
      v(field{"values"}, m.values);
    }
    friend bool operator==(const quota_entry&, const quota_entry&) = default;
  };
  static constexpr api_key api = api_key::describe_client_quotas;
  static constexpr std::string_view title = "DescribeClientQuotasResponse";

  std::int32_t throttle_time_ms = 0;
  std::int16_t error_code = 0;
  std::optional<std::string> error_message;
  std::optional<std::vector<quota_entry>> entries;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"throttle_time_ms"}, m.throttle_time_ms);
    v(field{"error_code"}, m.error_code);
    v(field{"error_message"}, m.error_message);
    v(field{"entries"}, m.entries);
  }
  friend bool operator==(const describe_client_quotas_response&,
                         const describe_client_quotas_response&) = default;
};

/// AlterClientQuotasRequest, versions 0 to 1.
struct alter_client_quotas_request {
  struct quota_entry {
    struct op_entry {
      std::string key;
      double value = 0;
      bool remove = false;

      template <class M, class V>
      static void fields(M& m, V& v) {
        v(field{"key"}, m.key);
        v(field{"value"}, m.value);
        v(field{"remove"}, m.remove);
      }
      friend bool operator==(const op_entry&, const op_entry&) = default;
    };
    std::vector<quota_entity> entity;
    std::vector<op_entry> ops;

    template <class M, class V>
    static void fields(M& m, V& v) {
      v(field{"entity"}, m.entity);
      v(field{"ops"}, m.ops);
    }
    friend bool operator==(const quota_entry&, const quota_entry&) = default;
  };
  static constexpr api_key api = api_key::alter_client_quotas;
  static constexpr std::string_view title = "AlterClientQuotasRequest";

  std::vector<quota_entry> entries;
  bool validate_only = false;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"entries"}, m.entries);
    v(field{"validate_only"}, m.validate_only);
  }
  friend bool operator==(const alter_client_quotas_request&,
                         const alter_client_quotas_request&) = default;
};

/// AlterClientQuotasResponse, versions 0 to 1.
struct alter_client_quotas_response {
  struct quota_entry {
    std::int16_t error_code = 0;
    std::optional<std::string> error_message;
    std::vector<quota_entity> entity;

    template <class M, class V>
    static void fields(M& m, V& v) {
      v(field{"error_code"}, m.error_code);
      v(field{"error_message"}, m.error_message);
      v(field{"entity"}, m.entity);
    }
    friend bool operator==(const quota_entry&, const quota_entry&) = default;
  };
  static constexpr api_key api = api_key::alter_client_quotas;
  static constexpr std::string_view title = "AlterClientQuotasResponse";

  std::int32_t throttle_time_ms = 0;
  std::vector<quota_entry> entries;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"throttle_time_ms"}, m.throttle_time_ms);
    v(field{"entries"}, m.entries);
  }
  friend bool operator==(const alter_client_quotas_response&,
                         const alter_client_quotas_response&) = default;
};

} // namespace aqueduct::protocol::kafka
