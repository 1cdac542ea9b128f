#include "io/template/context.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/text.h"

namespace motley::jinja {
namespace {

constexpr int kMaxDepth = 100;

Value convert(Heap& heap, const nlohmann::ordered_json& json, int depth) {
  if (depth > kMaxDepth) value_error(fmt::format("the messages or variables are nested deeper than {} levels", kMaxDepth));
  using Type = nlohmann::ordered_json::value_t;
  switch (json.type()) {
    case Type::boolean:
      return Value(json.get<bool>());
    case Type::number_integer:
      return Value(json.get<int64_t>());
    case Type::number_unsigned: {
      auto u = json.get<uint64_t>();
      if (u > static_cast<uint64_t>(INT64_MAX)) throw Fault("OverflowError", fmt::format("the number {} does not fit in a signed 64-bit integer", u));
      return Value(static_cast<int64_t>(u));
    }
    case Type::number_float:
      return Value(json.get<double>());
    case Type::string:
      return heap.text(valid_utf8(json.get_ref<const std::string&>()));
    case Type::array: {
      std::vector<Value> items;
      items.reserve(json.size());
      for (auto& item : json) items.push_back(convert(heap, item, depth + 1));
      return heap.list(std::move(items));
    }
    case Type::object: {
      Dict::Items items;
      items.reserve(json.size());
      for (auto& [key, value] : json.get_ref<const nlohmann::ordered_json::object_t&>())
        items.emplace_back(heap.text(valid_utf8(key)), convert(heap, value, depth + 1));
      return heap.dict(std::move(items));
    }
    default:
      return {};
  }
}

}  // namespace

Value from_json(Heap& heap, const nlohmann::ordered_json& json) { return convert(heap, json, 0); }

}  // namespace motley::jinja
