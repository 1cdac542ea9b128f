#include "io/quantised_folder.h"

#include "base/error.h"
#include "base/text.h"
#include "io/float8_weight.h"
#include "io/packed_weight.h"

namespace motley {
namespace {

uint64_t bytes_of(std::initializer_list<const TensorPart*> parts, std::vector<std::string_view>& names) {
  uint64_t bytes = 0;
  for (const TensorPart* part : parts)
    if (*part) bytes += (*part)->size_bytes, names.push_back((*part)->name);
  return bytes;
}

std::string_view packed_name(const StoredQuantisation& stored) {
  if (stored.method == QuantisationMethod::awq) return "AWQ-4";
  return stored.bits == 2 ? "GPTQ-2" : stored.bits == 3 ? "GPTQ-3" : stored.bits == 4 ? "GPTQ-4" : "GPTQ-8";
}

std::vector<AssembledWeight> packed_weights(const StoredQuantisation& stored, std::span<const SafetensorsFile> files) {
  constexpr std::string_view kPacked = ".qweight";
  struct Found {
    std::string name;
    PackedParts parts;
    PackedShape shape;
  };
  std::vector<Found> found;
  PackedTraits all;
  for (const SafetensorsFile& file : files)
    for (const SafetensorsTensor& t : file.tensors()) {
      if (!t.name.ends_with(kPacked)) continue;
      const std::string owner = t.name.substr(0, t.name.size() - kPacked.size());
      PackedParts parts{.weights = {&file, &t},
                        .zeros = require_part(files, owner + ".qzeros", t.name),
                        .scales = require_part(files, owner + ".scales", t.name),
                        .groups = find_part(files, owner + ".g_idx")};
      if (stored.method == QuantisationMethod::awq) parts.groups = {};
      const std::string name = owner + ".weight";
      if (find_part(files, name)) fail(ErrorKind::file, "quantised", "there is both a '{}' and a '{}'", printable(name), printable(t.name));
      const PackedShape shape = check_packed(stored, owner, parts);
      if (all.symmetric || all.in_order) {
        const PackedTraits own = packed_traits(stored, parts, shape);
        all.symmetric = all.symmetric && own.symmetric, all.in_order = all.in_order && own.in_order;
      }
      found.push_back({name, parts, shape});
    }
  std::vector<AssembledWeight> out;
  for (const Found& f : found) {
    AssembledWeight w{
        .name = f.name, .type_name = packed_name(stored), .shape = {f.shape.outputs, f.shape.inputs}, .stored_bytes = 0, .parts = {}, .how = {}};
    w.stored_bytes = bytes_of({&f.parts.weights, &f.parts.zeros, &f.parts.scales, &f.parts.groups}, w.parts);
    w.how = convert_packed(stored, f.parts, f.shape, all);
    out.push_back(std::move(w));
  }
  return out;
}

std::vector<AssembledWeight> float8_weights(const StoredQuantisation& stored, std::span<const SafetensorsFile> files) {
  std::vector<AssembledWeight> out;
  for (const SafetensorsFile& file : files)
    for (const SafetensorsTensor& t : file.tensors()) {
      if (!is_float8(t) || t.shape.size() != 2) continue;
      const TensorPart numbers{&file, &t};
      TensorPart scales = find_part(files, t.name + "_scale_inv");
      if (!scales) scales = find_part(files, t.name + "_scale");
      // Without a word on quantisation in config.json the numbers mean themselves.
      if (!scales && stored.method == QuantisationMethod::fp8) scales = require_part(files, t.name + "_scale", t.name);
      AssembledWeight w{.name = t.name, .type_name = t.type->name, .shape = t.shape, .stored_bytes = 0, .parts = {}, .how = {}};
      w.stored_bytes = bytes_of({&numbers, &scales}, w.parts);
      w.how = convert_float8(stored, numbers, scales);
      out.push_back(std::move(w));
    }
  return out;
}

}  // namespace

std::vector<AssembledWeight> assemble_weights(const StoredQuantisation& stored, std::span<const SafetensorsFile> files) {
  if (!stored.problem.empty()) return {};
  if (stored.method == QuantisationMethod::awq || stored.method == QuantisationMethod::gptq) return packed_weights(stored, files);
  return float8_weights(stored, files);
}

}  // namespace motley
