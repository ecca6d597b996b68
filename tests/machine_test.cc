// What the library makes of /sys, and of a machine that has none (a container, gVisor, valgrind).
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "idelta/idelta.h"
#include "src/core/machine/environment.h"
#include "src/core/machine/topology.h"

namespace idelta::core {
namespace {

namespace fs = std::filesystem;

// A folder that holds a /sys, removed at the end.
class FakeRoot {
 public:
  FakeRoot() : root_(fs::temp_directory_path() / ("idelta_machine_test." + std::to_string(getpid()))) {
    fs::create_directories(root_);
  }
  ~FakeRoot() { fs::remove_all(root_); }
  FakeRoot(const FakeRoot&) = delete;
  FakeRoot& operator=(const FakeRoot&) = delete;

  std::string path() const { return root_.string(); }
  void write(int cpu, const std::string& file, const std::string& text) const {
    const fs::path path = cpu_folder(root_.string(), cpu) + file;
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text << '\n';
  }
  void cache(int cpu, int index, const char* type, int level, const char* size, const char* sharers) const {
    const std::string folder = "cache/index" + std::to_string(index) + "/";
    write(cpu, folder + "type", type);
    write(cpu, folder + "level", std::to_string(level));
    write(cpu, folder + "size", size);
    write(cpu, folder + "shared_cpu_list", sharers);
  }

 private:
  fs::path root_;
};

// Two threads a core share its L2: it is all one core's. Eight cores share the L3.
TEST(Machine, CachesAreCountedByCoresNotByHardwareThreads) {
  const FakeRoot root;
  root.write(0, "topology/thread_siblings_list", "0,8");
  root.cache(0, 0, "Data", 1, "48K", "0,8");
  root.cache(0, 1, "Instruction", 1, "32K", "0,8");
  root.cache(0, 2, "Unified", 2, "2048K", "0,8");
  root.cache(0, 3, "Unified", 3, "16384K", "0-15");
  const CacheReport report = caches_of_machine(root.path());
  EXPECT_EQ("sysfs", report.source);
  EXPECT_EQ(48 << 10, report.sizes.l1);
  EXPECT_EQ(2 << 20, report.sizes.l2);
  EXPECT_EQ(2 << 20, report.sizes.l3);
}

TEST(Machine, AnL3OfAVirtualMachineIsNotBelieved) {
  const FakeRoot root;
  root.cache(0, 3, "Unified", 3, "327680K", "0-1");
  EXPECT_EQ(4 << 20, caches_of_machine(root.path()).sizes.l3);
}

// No library that would print is asked.
TEST(Machine, WithoutSysfsThereAreCachesAndNothingIsPrinted) {
  const FakeRoot root;
  testing::internal::CaptureStderr();
  const CacheReport report = caches_of_machine(root.path());
  EXPECT_NE("sysfs", report.source);
  EXPECT_GT(report.sizes.l1, 0);
  EXPECT_GT(report.sizes.l2, 0);
  EXPECT_EQ("", testing::internal::GetCapturedStderr());
}

TEST(Environment, NamesTheKindsThatTheLibraryKnows) {
  const auto same = [](std::string names, const Variable& variable) {
    const size_t last = names.rfind(", ");
    names.replace(last, 2, " or ");
    EXPECT_EQ(names, variable.values);
  };
  same(idelta_isa_names(), kIsaVariable);
  same(idelta_bf16_product_names(), kBf16Variable);
}

}  // namespace
}  // namespace idelta::core
