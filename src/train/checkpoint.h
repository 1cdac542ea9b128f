// Checkpoints of a run: folders "checkpoint-<step>" that hold the model in Hugging Face layout, what the optimizer knows, where in the data
// the run stands, and the compiled Programs, so that going on from one gives the bits that never having stopped would have given.
//
// A folder appears whole or not at all, with MANIFEST.json listing every file's size and digest; what does not match is not gone on from.
//
//   CheckpointWriter out(path);           // path.tmp-<pid> until commit()
//   ... write files into out.folder() ...
//   out.commit(step);
//   for (const FoundCheckpoint& c : find_checkpoints("runs/a"))   // newest first
//     if (auto wrong = problem_of(c.path)) warn(*wrong); else return c;
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/atomic_folder.h"
#include "io/json.h"
#include "tensor/tensor.h"

namespace motley {

class CheckpointWriter {
 public:
  explicit CheckpointWriter(const std::string& path) : folder_(path), path_(path) {}
  const AtomicFolder& folder() const { return folder_; }
  void commit(int64_t step);  // writes the manifest last

 private:
  AtomicFolder folder_;
  std::string path_;
};

struct FoundCheckpoint {
  std::string path;
  int64_t step = 0;
};
std::string checkpoint_path(const std::string& output, int64_t step);
std::vector<FoundCheckpoint> find_checkpoints(const std::string& output);  // newest first, whole or not

// What is wrong with it, as a sentence: a file that is missing, cut short or changed. Reads all of it.
std::optional<std::string> problem_of(const std::string& checkpoint);

// Removes all but the newest `keep` and the one of step `best`, and what killed runs left half-written.
void prune_checkpoints(const std::string& output, int64_t keep, int64_t best);

}  // namespace motley
