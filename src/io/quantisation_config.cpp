#include "io/quantisation_config.h"

#include <optional>

#include "base/error.h"
#include "base/text.h"
#include "io/json.h"

namespace motley {
namespace {

constexpr int64_t kLargestGroup = int64_t{1} << 30;

class Reader {
 public:
  Reader(const Json& object, std::string_view what) : object_(object), what_(fmt::format("{}: quantization_config", what)) {}

  StoredQuantisation read() {
    const std::string method = text("quant_method");
    if (method == "awq") return awq();
    if (method == "gptq") return gptq();
    if (method == "fp8" || method == "fbgemm_fp8") return fp8();
    if (method == "modelopt") {
      const std::string algorithm = text("quant_algo");
      return algorithm == "FP8" ? fp8() : refused(fmt::format("'modelopt' with '{}'", printable(algorithm)), "ModelOpt's FP8, FP8 with scales, AWQ");
    }
    if (method == "compressed-tensors") {
      const std::string form = text("format");
      if (form == "float-quantized") return fp8();
      return refused(fmt::format("'compressed-tensors' with the format '{}'", printable(form)),
                     form == "pack-quantized" ? "AWQ or GPTQ with as many bits" : "its format 'float-quantized' (FP8)");
    }
    return refused(fmt::format("'{}'", method.empty() ? "an unnamed method" : printable(method)), nearest(method));
  }

 private:
  static std::string_view nearest(std::string_view method) {
    if (method == "bitsandbytes") return "AWQ or GPTQ of 4 bits, or FP8";
    if (method == "mxfp4") return "a GGUF in MXFP4";
    if (method == "exl2" || method == "exl3" || method == "hqq" || method == "eetq" || method == "aqlm" || method == "quip" || method == "vptq" ||
        method == "higgs" || method == "spqr" || method == "auto-round")
      return "GPTQ of as many bits";
    return "FP8, AWQ or GPTQ";
  }

  StoredQuantisation refused(const std::string& found, std::string_view instead) const {
    StoredQuantisation q;
    q.problem = fmt::format(
        "the weights are quantised with {}, which is not supported; the nearest that is: {}. The unquantised model and GGUF files work too", found,
        instead);
    return q;
  }

  StoredQuantisation awq() const {
    StoredQuantisation q;
    q.method = QuantisationMethod::awq;
    const int64_t bits = integer({"bits", "w_bit"}, 4, 1, 64);
    if (bits != 4) return refused(fmt::format("AWQ of {} bits", bits), "AWQ of 4 bits");
    const std::string version = lower_ascii(json_find_string(object_, "version", what_).value_or("gemm"));
    if (version != "gemm" && version != "exllama" && version != "ipex")
      return refused(fmt::format("AWQ in the layout '{}'", printable(version)), "AWQ in the layout 'gemm'");
    q.bits = 4;
    q.group = group({"group_size", "q_group_size"});
    return q;
  }

  StoredQuantisation gptq() const {
    StoredQuantisation q;
    q.method = QuantisationMethod::gptq;
    const int64_t bits = integer({"bits"}, 4, 1, 64);
    if (bits != 2 && bits != 3 && bits != 4 && bits != 8) return refused(fmt::format("GPTQ of {} bits", bits), "GPTQ of 2, 3, 4 or 8 bits");
    std::string form = json_find_string(object_, "checkpoint_format", what_).value_or("gptq");
    if (json_find_bool(object_, "is_marlin_format", what_).value_or(false)) form = "marlin";
    if (form != "gptq" && form != "gptq_v2")
      return refused(fmt::format("GPTQ in the format '{}'", printable(form)), "GPTQ in the formats 'gptq' and 'gptq_v2'");
    if (auto pack = json_find_string(object_, "pack_dtype", what_); pack && *pack != "int32")
      return refused(fmt::format("GPTQ packed into {}", printable(*pack)), "GPTQ packed into int32");
    if (auto own = object_.find("dynamic"); own != object_.end() && own->is_object() && !own->empty())
      return refused("GPTQ with 'dynamic' rules for single layers", "GPTQ with the same bits everywhere");
    q.bits = static_cast<int>(bits);
    q.group = group({"group_size"});
    q.zeros_less_one = form == "gptq";
    return q;
  }

  StoredQuantisation fp8() const {
    StoredQuantisation q;
    q.method = QuantisationMethod::fp8;
    auto size = object_.find("weight_block_size");
    if (size == object_.end() || size->is_null()) return q;
    if (!size->is_array() || size->size() != 2 || !(*size)[0].is_number_integer() || !(*size)[1].is_number_integer())
      fail(ErrorKind::file, "config", "{}: 'weight_block_size' should be two whole numbers, such as [128, 128]", what_);
    auto in_range = [&](const Json& number) {
      const auto n = number.is_number_unsigned() && number.get<uint64_t>() > static_cast<uint64_t>(kLargestGroup) ? -1 : number.get<int64_t>();
      if (n < 1 || n > kLargestGroup)
        fail(ErrorKind::file, "config", "{}: 'weight_block_size' has a number that is not from 1 to {}", what_, kLargestGroup);
      return n;
    };
    q.block_rows = in_range((*size)[0]), q.block_columns = in_range((*size)[1]);
    return q;
  }

  int64_t integer(std::initializer_list<const char*> keys, int64_t otherwise, int64_t low, int64_t high) const {
    for (const char* key : keys)
      if (auto n = json_find_int(object_, key, what_)) {
        if (*n < low || *n > high)
          fail(ErrorKind::file, "config", "{}: '{}' is {}, expected a whole number from {} to {}", what_, key, *n, low, high);
        return *n;
      }
    return otherwise;
  }

  // -1 is how files say "all".
  int64_t group(std::initializer_list<const char*> keys) const {
    const int64_t n = integer(keys, 128, -1, kLargestGroup);
    if (n == 0) fail(ErrorKind::file, "config", "{}: '{}' is 0, expected a number of inputs, or -1 for all", what_, *keys.begin());
    return n == -1 ? 0 : n;
  }

  std::string text(const char* key) const { return json_find_string(object_, key, what_).value_or(""); }

  const Json& object_;
  std::string what_;
};

const Json* quantisation_of(const Json& config) {
  if (!config.is_object()) return nullptr;
  auto found = config.find("quantization_config");
  return found != config.end() && found->is_object() ? &*found : nullptr;
}

}  // namespace

StoredQuantisation read_quantisation(const Json& config, std::string_view what) {
  const Json* object = quantisation_of(config);
  if (!object && config.is_object())
    if (auto text = config.find("text_config"); text != config.end()) object = quantisation_of(*text);
  return object ? Reader(*object, what).read() : StoredQuantisation{};
}

}  // namespace motley
