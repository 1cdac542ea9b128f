// A folder that appears whole or not at all: written under another name beside it, renamed when complete, removed when it is not to be.
//
//   AtomicFolder out("runs/a/checkpoint-100");   // writes runs/a/checkpoint-100.tmp-<pid>
//   out.write("config.json", text);
//   SafetensorsWriter weights(out.file("model.safetensors"));   // ... and commits it
//   out.commit();
#pragma once
#include <filesystem>
#include <string>
#include <string_view>

namespace motley {

class AtomicFolder {
 public:
  // Error(usage) when the path is there and not an empty folder, Error(runtime) when nothing can be created.
  explicit AtomicFolder(const std::string& path);
  ~AtomicFolder();
  AtomicFolder(const AtomicFolder&) = delete;
  AtomicFolder& operator=(const AtomicFolder&) = delete;

  std::string file(const std::string& name) const { return temporary_ / name; }  // where to write it
  void write(const std::string& name, std::string_view text) const;              // the name may have a folder before it
  void commit();

 private:
  std::filesystem::path path_, temporary_;
  bool committed_ = false;
};

}  // namespace motley
