// aq doctor, as the command line sees it.
#include "apps/aq/command_line.hpp"
#include "apps/aq/doctor.hpp"
#include "apps/aq/units.hpp"
#include "config/loader.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <unistd.h>

#include <cstdlib>
#include <memory>

namespace aqueduct::aq {

namespace {

struct verb_options {
  std::string file;
  std::string data_dir;
  bool no_disk_probe = false;
};

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
  if (options.no_disk_probe)
    wanted.disk_probe = std::chrono::milliseconds(0);
  else
    on.draw_status("measuring the disk ...");
  auto findings = examine(wanted);
  findings.insert(findings.begin(), lint);
  const auto printed = on.print(doctor_document(findings));
  return worst(findings) == severity::critical ? exit_code::failed : printed;
}

} // namespace

void add_doctor_verb(command_line& line) {
  auto options = std::make_shared<verb_options>();
  auto& verb = line.add_verb(line.root(), "doctor", "Check whether this machine is fit for a node",
                             "aq doctor\n"
                             "aq doctor --config /etc/aqueduct/aqueduct.toml\n"
                             "aq doctor --data-dir /var/lib/aqueduct --output json\n",
                             [options](session& on) { return doctor(on, *options); });
  verb.add_option("--config", options->file, "Configuration of the node")->type_name("FILE");
  verb.add_option("--data-dir", options->data_dir, "Data directory of the node")->type_name("DIR");
  verb.add_flag("--no-disk-probe", options->no_disk_probe, "Do not write to the disk for a second");
}

} // namespace aqueduct::aq
