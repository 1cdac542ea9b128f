// Models that other programs have downloaded: the Hugging Face hub's cache on this machine, read only and without the network.
//
//   if (auto folder = find_in_cache("HuggingFaceTB/SmolLM2-135M")) Checkpoint::open(*folder);
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace motley {

// The cache's folder: $HF_HUB_CACHE, or "hub" in $HF_HOME, or in "huggingface" of $XDG_CACHE_HOME or ~/.cache. Empty without any of them.
std::string hub_cache_folder();

// "org/name" or "name", of letters, digits, '-', '_' and '.', as the hub allows them.
bool is_hub_name(std::string_view name);

// The folder with the files of that model's newest known revision (refs/main), or nothing.
std::optional<std::string> find_in_cache(std::string_view name);

}  // namespace motley
