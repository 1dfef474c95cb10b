// aq doctor, as the command line sees it.
#include "apps/aq/advertised.hpp"
#include "apps/aq/command_line.hpp"
#include "apps/aq/doctor.hpp"
#include "apps/aq/units.hpp"
#include "config/loader.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <memory>

namespace aqueduct::aq {

namespace {

struct verb_options {
  std::string file;
  std::string data_dir;
  bool no_disk_probe = false;
};

/// `host:port`, or a host alone, as everywhere for --broker.
result<config::endpoint> parse_broker(const std::string& text) {
  const auto whole = config::parse_endpoint(text);
  if (whole)
    return whole;
  const auto with_port = config::parse_endpoint(text + ":9092");
  return with_port ? with_port : whole;
}

/// Whom to ask for the addresses that clients are told: those that were named, or the node that the
/// configuration is of.
result<bootstrap_options> bootstrap_of(const global_options& given,
                                       const config::node_config& config) {
  bootstrap_options made;
  made.is_named = !given.brokers.empty();
  made.patience = given.timeout.value_or(made.patience);
  for (const auto& each : given.brokers) {
    const auto address = parse_broker(each);
    if (!address)
      return unexpected(errc::invalid_request, address.error().message);
    made.brokers.push_back(*address);
  }
  if (!made.is_named && config.listen.port != 0)
    made.brokers.push_back(reached_here(config.listen));
  return made;
}

/// The same for each listener of the configuration that has a name and a port.
void examine_listeners(bootstrap_options from, const std::vector<config::named_endpoint>& listeners,
                       std::vector<finding>& findings) {
  for (const auto& each : listeners) {
    if (each.address.port == 0)
      continue;
    from.brokers = {reached_here(each.address)};
    from.listener = each.name;
    std::ranges::move(examine_advertised(from), std::back_inserter(findings));
  }
}

exit_code doctor(session& on, const verb_options& options) {
  config::config_sources sources;
  if (!options.file.empty())
    sources.file = options.file;
  else if (const char* file = std::getenv("AQUEDUCT_CONFIG"); file != nullptr && *file != '\0')
    sources.file = file;
  sources.environment = config::environment_variables(environ);
  if (!options.data_dir.empty())
    sources.command_line.push_back({"--data-dir", "data.dir", options.data_dir});
  const auto loaded = config::load(sources);
  finding lint{"configuration",
               "valid",
               sources.file ? sources.file->string() : "defaults",
               severity::ok,
               {}};
  doctor_options wanted;
  if (loaded) {
    wanted.config = loaded->values;
  } else {
    lint.how = severity::critical;
    lint.current = loaded.error().message;
    lint.fix = "aq config validate shows the problems; the other checks are of the defaults";
    if (!options.data_dir.empty())
      wanted.config.data.dir = options.data_dir;
  }
  const auto bootstrap = bootstrap_of(on.options(), wanted.config);
  if (!bootstrap)
    return on.fail(bootstrap.error());
  if (options.no_disk_probe)
    wanted.disk_probe = std::chrono::milliseconds(0);
  else
    on.draw_status("measuring the disk ...");
  auto findings = examine(wanted);
  findings.insert(findings.begin(), lint);
  on.draw_status("trying the addresses that clients are told ...");
  std::ranges::move(examine_advertised(*bootstrap), std::back_inserter(findings));
  if (!bootstrap->is_named)
    examine_listeners(*bootstrap, wanted.config.listeners.listen, findings);
  const auto printed = on.print(doctor_document(findings));
  return worst(findings) == severity::critical ? exit_code::failed : printed;
}

} // namespace

void add_doctor_verb(command_line& line) {
  auto options = std::make_shared<verb_options>();
  auto& verb = line.add_verb(line.root(), "doctor",
                             "Check this machine, and the addresses that clients are told",
                             "aq doctor\n"
                             "aq -b broker-1:9092 doctor\n"
                             "aq doctor --config /etc/aqueduct/aqueduct.toml\n"
                             "aq doctor --data-dir /var/lib/aqueduct --output json\n",
                             [options](session& on) { return doctor(on, *options); });
  verb.add_option("--config", options->file, "Configuration of the node")->type_name("FILE");
  verb.add_option("--data-dir", options->data_dir, "Data directory of the node")->type_name("DIR");
  verb.add_flag("--no-disk-probe", options->no_disk_probe, "Do not write to the disk for a second");
}

} // namespace aqueduct::aq
