// The messages with which operators read and change settings.
// Fields in the order of the wire, by the names that the protocol gives them.
#pragma once

#include "protocol/kafka/definition.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace aqueduct::protocol::kafka {

/// DescribeConfigsRequest, versions 1 to 4.
struct describe_configs_request {
  struct resource_entry {
    std::int8_t resource_type = 0;
    std::string resource_name;
    std::optional<std::vector<std::string>> configuration_keys;

    template <class M, class V>
    static void fields(M& m, V& v) {
      v(field{"resource_type"}, m.resource_type);
      v(field{"resource_name"}, m.resource_name);
      v(field{"configuration_keys"}, m.configuration_keys);
    }
    friend bool operator==(const resource_entry&, const resource_entry&) = default;
  };
  static constexpr api_key api = api_key::describe_configs;
  static constexpr std::string_view title = "DescribeConfigsRequest";

  std::vector<resource_entry> resources;
  bool include_synonyms = false;
  bool include_documentation = false;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"resources"}, m.resources);
    v(field{"include_synonyms"}, m.include_synonyms);
    v(field{.name = "include_documentation", .since = 3}, m.include_documentation);
  }
  friend bool operator==(const describe_configs_request&,
                         const describe_configs_request&) = default;
};

/// DescribeConfigsResponse, versions 1 to 4.
struct describe_configs_response {
  struct result_entry {
    struct config_entry {
      struct synonym_entry {
        std::string name;
        std::optional<std::string> value;
        std::int8_t source = 0;

        template <class M, class V>
        static void fields(M& m, V& v) {
          v(field{"name"}, m.name);
          v(field{"value"}, m.value);
          v(field{"source"}, m.source);
        }
        friend bool operator==(const synonym_entry&, const synonym_entry&) = default;
      };
      std::string name;
      std::optional<std::string> value;
      bool read_only = false;
      std::int8_t config_source = 0;
      bool is_sensitive = false;
      std::vector<synonym_entry> synonyms;
      std::int8_t config_type = 0;
      std::optional<std::string> documentation;

      template <class M, class V>
      static void fields(M& m, V& v) {
        v(field{"name"}, m.name);
        v(field{"value"}, m.value);
        v(field{"read_only"}, m.read_only);
        v(field{"config_source"}, m.config_source);
        v(field{"is_sensitive"}, m.is_sensitive);
        v(field{"synonyms"}, m.synonyms);
        v(field{.name = "config_type", .since = 3}, m.config_type);
        v(field{.name = "documentation", .since = 3}, m.documentation);
      }
      friend bool operator==(const config_entry&, const config_entry&) = default;
    };
    std::int16_t error_code = 0;
    std::optional<std::string> error_message;
    std::int8_t resource_type = 0;
    std::string resource_name;
    std::vector<config_entry> configs;

    template <class M, class V>
    static void fields(M& m, V& v) {
      v(field{"error_code"}, m.error_code);
      v(field{"error_message"}, m.error_message);
      v(field{"resource_type"}, m.resource_type);
      v(field{"resource_name"}, m.resource_name);
      v(field{"configs"}, m.configs);
    }
    friend bool operator==(const result_entry&, const result_entry&) = default;
  };
  static constexpr api_key api = api_key::describe_configs;
  static constexpr std::string_view title = "DescribeConfigsResponse";

  std::int32_t throttle_time_ms = 0;
  std::vector<result_entry> results;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"throttle_time_ms"}, m.throttle_time_ms);
    v(field{"results"}, m.results);
  }
  friend bool operator==(const describe_configs_response&,
                         const describe_configs_response&) = default;
};

/// AlterConfigsRequest, versions 0 to 2.
struct alter_configs_request {
  struct resource_entry {
    struct config_entry {
      std::string name;
      std::optional<std::string> value;

      template <class M, class V>
      static void fields(M& m, V& v) {
        v(field{"name"}, m.name);
        v(field{"value"}, m.value);
      }
      friend bool operator==(const config_entry&, const config_entry&) = default;
    };
    std::int8_t resource_type = 0;
    std::string resource_name;
    std::vector<config_entry> configs;

    template <class M, class V>
    static void fields(M& m, V& v) {
      v(field{"resource_type"}, m.resource_type);
      v(field{"resource_name"}, m.resource_name);
      v(field{"configs"}, m.configs);
    }
    friend bool operator==(const resource_entry&, const resource_entry&) = default;
  };
  static constexpr api_key api = api_key::alter_configs;
  static constexpr std::string_view title = "AlterConfigsRequest";

  std::vector<resource_entry> resources;
  bool validate_only = false;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"resources"}, m.resources);
    v(field{"validate_only"}, m.validate_only);
  }
  friend bool operator==(const alter_configs_request&, const alter_configs_request&) = default;
};

/// AlterConfigsResponse, versions 0 to 2.
struct alter_configs_response {
  struct response_entry {
    std::int16_t error_code = 0;
    std::optional<std::string> error_message;
    std::int8_t resource_type = 0;
    std::string resource_name;

    template <class M, class V>
    static void fields(M& m, V& v) {
      v(field{"error_code"}, m.error_code);
      v(field{"error_message"}, m.error_message);
      v(field{"resource_type"}, m.resource_type);
      v(field{"resource_name"}, m.resource_name);
    }
    friend bool operator==(const response_entry&, const response_entry&) = default;
  };
  static constexpr api_key api = api_key::alter_configs;
  static constexpr std::string_view title = "AlterConfigsResponse";

  std::int32_t throttle_time_ms = 0;
  std::vector<response_entry> responses;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"throttle_time_ms"}, m.throttle_time_ms);
    v(field{"responses"}, m.responses);
  }
  friend bool operator==(const alter_configs_response&, const alter_configs_response&) = default;
};

/// IncrementalAlterConfigsRequest, versions 0 to 1.
struct incremental_alter_configs_request {
  struct resource_entry {
    struct config_entry {
      std::string name;
      std::int8_t config_operation = 0;
      std::optional<std::string> value;

      template <class M, class V>
      static void fields(M& m, V& v) {
        v(field{"name"}, m.name);
        v(field{"config_operation"}, m.config_operation);
        v(field{"value"}, m.value);
      }
      friend bool operator==(const config_entry&, const config_entry&) = default;
    };
    std::int8_t resource_type = 0;
    std::string resource_name;
    std::vector<config_entry> configs;

    template <class M, class V>
    static void fields(M& m, V& v) {
      v(field{"resource_type"}, m.resource_type);
      v(field{"resource_name"}, m.resource_name);
      v(field{"configs"}, m.configs);
    }
    friend bool operator==(const resource_entry&, const resource_entry&) = default;
  };
  static constexpr api_key api = api_key::incremental_alter_configs;
  static constexpr std::string_view title = "IncrementalAlterConfigsRequest";

  std::vector<resource_entry> resources;
  bool validate_only = false;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"resources"}, m.resources);
    v(field{"validate_only"}, m.validate_only);
  }
  friend bool operator==(const incremental_alter_configs_request&,
                         const incremental_alter_configs_request&) = default;
};

/// IncrementalAlterConfigsResponse, versions 0 to 1.
struct incremental_alter_configs_response {
  struct response_entry {
    std::int16_t error_code = 0;
    std::optional<std::string> error_message;
    std::int8_t resource_type = 0;
    std::string resource_name;

    template <class M, class V>
    static void fields(M& m, V& v) {
      v(field{"error_code"}, m.error_code);
      v(field{"error_message"}, m.error_message);
      v(field{"resource_type"}, m.resource_type);
      v(field{"resource_name"}, m.resource_name);
    }
    friend bool operator==(const response_entry&, const response_entry&) = default;
  };
  static constexpr api_key api = api_key::incremental_alter_configs;
  static constexpr std::string_view title = "IncrementalAlterConfigsResponse";

  std::int32_t throttle_time_ms = 0;
  std::vector<response_entry> responses;

  template <class M, class V>
  static void fields(M& m, V& v) {
    v(field{"throttle_time_ms"}, m.throttle_time_ms);
    v(field{"responses"}, m.responses);
  }
  friend bool operator==(const incremental_alter_configs_response&,
                         const incremental_alter_configs_response&) = default;
};

} // namespace aqueduct::protocol::kafka
