// Which files a data path means: the file itself, the data files directly in a folder, or those that a pattern with * ? [...] finds.
//
//   for (const std::string& file : find_data_files("corpus/*.jsonl.zst")) ...
#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace motley {

// Sorted by name, so that every run reads them in the same order. Error(file) when there are none.
std::vector<std::string> find_data_files(const std::string& path);

// The name's ending in small letters behind what says how it is packed: "jsonl" of "a/B.JSONL.gz"; empty without one.
std::string data_extension(std::string_view path);

// A folder whose subfolders are the classes of the texts in them, as aclImdb's train/pos and train/neg: (class, its .txt files), sorted by
// class. Where the folder is the whole of aclImdb (train and test), part says which of the two. Empty when the folder is no such thing.
// "unsup", aclImdb's texts without a class, is left out.
std::vector<std::pair<std::string, std::vector<std::string>>> find_class_folders(const std::string& path, const std::string& part);

}  // namespace motley
