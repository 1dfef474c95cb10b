#include "apps/aq/command_line.hpp"

int main(int argc, char** argv) {
  return aqueduct::aq::run_process(argc, argv);
}
