// A directory of its own for a test, removed at the end.

#ifndef TRAINYARD_TESTS_COORDINATOR_SCRATCH_DIRECTORY_H_
#define TRAINYARD_TESTS_COORDINATOR_SCRATCH_DIRECTORY_H_

#include <stdlib.h>

#include <filesystem>
#include <string>

namespace trainyard::coordinator {

class ScratchDirectory {
 public:
  ScratchDirectory() {
    char path[] = "/tmp/trainyard-store-XXXXXX";
    path_ = mkdtemp(path);
  }
  ~ScratchDirectory() { std::filesystem::remove_all(path_); }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_TESTS_COORDINATOR_SCRATCH_DIRECTORY_H_
