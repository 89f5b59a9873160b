// SPDX-License-Identifier: Apache-2.0
// status and version.
#include "client/ctl/present.hpp"
#include "client/ctl/verbs.hpp"

namespace dofa::ctl {

int run_status(const Context& context) {
  const auto client = context.connect();
  const auto service = client.service();
  const std::size_t families = client.families().size();
  const std::size_t sessions = client.sessions().size();
  if (context.json) {
    json::Writer writer;
    writer.begin_object()
        .member("schema", 1)
        .member("version", service.version)
        .member("state", service.state)
        .member("families", families)
        .member("sessions", sessions);
    writer.key("processors");
    write_json(writer, service.processors);
    print(writer.end_object());
    return kExitOk;
  }
  print("dofad " + printable(service.version) + ", " + printable(service.state) +
        "; families: " + std::to_string(families) + ", sessions: " + std::to_string(sessions) + "\n\n" +
        processors_table(service.processors).render(context.style()));
  return kExitOk;
}

int run_version(const Context& context) {
  if (context.json) {
    json::Writer writer;
    print(writer.begin_object().member("schema", 1).member("version", DOFA_VERSION).end_object());
  } else {
    print("dofactl " DOFA_VERSION "\n");
  }
  return kExitOk;
}

}  // namespace dofa::ctl
