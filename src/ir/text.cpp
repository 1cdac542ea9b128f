#include "ir/text.h"

#include <array>
#include <utility>

#include "base/error.h"
#include "base/text.h"

namespace motley {
namespace {

// The struct's name as the compiler knows it, in snake case: AddRmsNorm -> add_rms_norm. So no op is spelled twice.
template <class T>
std::string spelling() {
  std::string_view all = __PRETTY_FUNCTION__;  // "... [with T = motley::AddRmsNorm; ...]" (g++), "... [T = motley::AddRmsNorm]" (clang)
  auto begin = all.find("T = ") + 4;
  auto end = all.find_first_of(";]", begin);
  std::string_view name = all.substr(begin, end - begin);
  if (auto colon = name.rfind(':'); colon != name.npos) name.remove_prefix(colon + 1);
  std::string out;
  for (size_t i = 0; i < name.size(); ++i) {
    bool upper = name[i] >= 'A' && name[i] <= 'Z';
    if (upper && i) out += '_';
    out += upper ? static_cast<char>(name[i] - 'A' + 'a') : name[i];
  }
  return out;
}

struct Spelling {
  std::string name;
  Op blank;
};

template <size_t... I>
std::array<Spelling, kNumOps> make_spellings(std::index_sequence<I...>) {
  return {Spelling{spelling<std::variant_alternative_t<I, Op>>(), std::variant_alternative_t<I, Op>{}}...};
}

const std::array<Spelling, kNumOps>& table() {
  static const auto all = make_spellings(std::make_index_sequence<kNumOps>{});
  return all;
}

std::string show(Value v) { return v.result ? fmt::format("%{}.{}", v.node, v.result) : fmt::format("%{}", v.node); }

std::string quoted(std::string_view s) {
  std::string out = "\"";
  for (char c : s) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

// One line of the text, read from left to right.
struct Line {
  std::string_view text;
  int number;

  [[noreturn]] void wrong(std::string_view expected) const {
    fail(ErrorKind::usage, "graph text", "line {}: expected {} at '{}'", number, expected, text.substr(0, 40));
  }
  void space() {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  }
  bool take(std::string_view what) {
    space();
    if (!text.starts_with(what)) return false;
    text.remove_prefix(what.size());
    return true;
  }
  void expect(std::string_view what) {
    if (!take(what)) wrong(fmt::format("'{}'", what));
  }
  std::string_view until(std::string_view stops) {
    space();
    auto end = text.find_first_of(stops);
    auto out = text.substr(0, end);
    text.remove_prefix(out.size());
    return out;
  }
  int32_t integer() {
    auto digits = text.substr(0, text.find_first_not_of("-0123456789"));
    auto n = parse_int(digits);
    if (!n || *n < INT32_MIN || *n > INT32_MAX) wrong("a number");
    text.remove_prefix(digits.size());
    return static_cast<int32_t>(*n);
  }
  Value value(const Graph& graph) {
    expect("%");
    Value v{integer(), 0};
    if (text.starts_with(".")) text.remove_prefix(1), v.result = integer();
    bool known =
        v.node >= 0 && static_cast<size_t>(v.node) < graph.nodes.size() && v.result >= 0 && static_cast<size_t>(v.result) < graph.node(v).out.size();
    if (!known) wrong("a value of an earlier line");
    return v;
  }
  std::string name() {
    expect("\"");
    std::string out;
    for (;;) {
      if (text.empty()) wrong("a closing quote");
      char c = text.front();
      text.remove_prefix(1);
      if (c == '"') return out;
      if (c == '\\' && !text.empty()) c = text.front(), text.remove_prefix(1);
      out += c;
    }
  }
};

Node parse_node(Line& line, const Graph& graph) {
  Node node;
  auto op = line.until(" (:");
  if (!op_from_name(op, node.op)) line.wrong(fmt::format("an op, not '{}',", op));
  if (line.take("(")) {
    while (!line.take(")")) {
      if (!node.in.empty()) line.expect(",");
      node.in.push_back(line.value(graph));
    }
  }
  while (!line.take(": ")) {
    auto field = line.until("= :");
    line.expect("=");
    auto value = line.until(" ");
    if (!parse_field(node.op, field, value)) line.wrong(fmt::format("an attribute of {}, not '{}={}',", op, field, value));
  }
  do {
    auto type = parse_type(line.until(" "));
    if (!type) line.wrong("a type such as f32[T<=512,64]");
    node.out.push_back(*type);
  } while (line.take("; "));
  node.name = line.name();
  if (line.take("block=")) node.block = line.integer();
  return node;
}

}  // namespace

std::string_view op_name(const Op& op) { return table()[op.index()].name; }
std::string_view op_name(size_t index) { return table()[index].name; }

bool op_from_name(std::string_view name, Op& op) {
  for (const auto& s : table())
    if (s.name == name) return op = s.blank, true;
  return false;
}

std::string print(const Node& n, int32_t index) {
  std::string out = fmt::format("%{} = {}", index, op_name(n.op));
  if (!n.in.empty()) {
    out += "(";
    for (size_t j = 0; j < n.in.size(); ++j) out += (j ? ", " : "") + show(n.in[j]);
    out += ")";
  }
  for (const auto& [field, value] : fields(n.op)) out += fmt::format(" {}={}", field, value);
  for (size_t r = 0; r < n.out.size(); ++r) out += (r ? " ; " : " : ") + to_string(n.out[r]);
  out += " " + quoted(n.name);
  if (n.block >= 0) out += fmt::format(" block={}", n.block);
  return out;
}

std::string print(const Graph& graph) {
  std::string out = "graph\n";
  for (size_t i = 0; i < graph.nodes.size(); ++i) out += print(graph.nodes[i], static_cast<int32_t>(i)) + "\n";
  for (const auto& o : graph.outputs) out += fmt::format("output {} {}\n", show(o.value), quoted(o.name));
  for (const auto& u : graph.updates) out += fmt::format("update {} {}\n", show(u.value), quoted(u.name));
  return out;
}

Graph parse_graph(std::string_view text) {
  Graph graph;
  int number = 0;
  bool opened = false;
  for (auto raw : split(text, '\n')) {
    Line line{trim(raw), ++number};
    if (line.text.empty() || line.text.starts_with('#')) continue;
    if (!opened) {
      line.expect("graph");
      opened = true;
    } else if (line.take("output") || line.text.starts_with("update")) {
      bool update = line.take("update");
      Value v = line.value(graph);
      (update ? graph.updates : graph.outputs).push_back({v, line.name()});
    } else {
      line.expect("%");
      if (line.integer() != static_cast<int32_t>(graph.nodes.size())) line.wrong(fmt::format("node %{}", graph.nodes.size()));
      line.expect("=");
      graph.push(parse_node(line, graph));
    }
    line.space();
    if (!line.text.empty()) line.wrong("the end of the line");
  }
  if (!opened) fail(ErrorKind::usage, "graph text", "expected the word 'graph' on the first line");
  return graph;
}

}  // namespace motley
