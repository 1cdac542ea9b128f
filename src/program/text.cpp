// The text form of a Program:
//
//   program cpu:0 T 1..16 arena 4096
//   input i32[T<=16] "tokens"
//   state f32[512,64] plain "model.embed_tokens.weight"
//   state f32[64,4,32,8] plain changes "model.layers.0.k_cache"
//   constant f32[4] 1,0.1,0.01,0.001
//   b0 = input 0 : i32[T<=16]
//   b1 = state 0 : f32[512,64]
//   b2 = arena 0 : f32[T<=16,64]
//   step gather_f32 gather(b1, b0) -> b2 scratch 1024+64 barrier "embed" block=-1
//   output b2 "hidden"
#include "base/text.h"

#include <charconv>

#include "base/error.h"
#include "ir/text.h"
#include "program/program.h"

namespace motley {
namespace {

constexpr std::string_view kSpaces[] = {"arena", "input", "state", "constant"};

std::string list(const std::vector<int>& buffers) {
  std::string out;
  for (size_t i = 0; i < buffers.size(); ++i) out += fmt::format("{}b{}", i ? ", " : "", buffers[i]);
  return out;
}

// Reads one line word by word.
struct Words {
  std::string_view text;
  int line;

  [[noreturn]] void wrong(std::string_view expected) const {
    fail(ErrorKind::usage, "program text", "line {}: expected {} at '{}'", line, expected, text.substr(0, 40));
  }
  void space() {
    while (text.starts_with(' ')) text.remove_prefix(1);
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
  std::string_view word(std::string_view stops = " ") {
    space();
    auto out = text.substr(0, text.find_first_of(stops));
    if (out.empty()) wrong("a word");
    text.remove_prefix(out.size());
    return out;
  }
  int64_t number(std::string_view stops = " ") {
    auto n = parse_int(word(stops));
    if (!n) wrong("a number");
    return *n;
  }
  Type type() {
    auto t = parse_type(word());
    if (!t) wrong("a type such as f32[T<=512,64]");
    return *t;
  }
  std::string name() {
    expect("\"");
    auto end = text.find('"');
    if (end == text.npos) wrong("a closing quote");
    std::string out(text.substr(0, end));
    text.remove_prefix(end + 1);
    return out;
  }
  std::vector<int> buffers(size_t count) {
    std::vector<int> out;
    while (take("b")) {
      int64_t b = number(" ,)");
      if (b < 0 || static_cast<size_t>(b) >= count) wrong("a buffer of an earlier line");
      out.push_back(static_cast<int>(b));
      if (!take(",")) break;
    }
    return out;
  }
};

Step parse_step(Words& w, size_t num_buffers) {
  Step step;
  step.kernel = std::string(w.word());
  if (!op_from_name(w.word("( "), step.op)) w.wrong("an op");
  w.expect("(");
  step.in = w.buffers(num_buffers);
  w.expect(")");
  while (!w.take("->")) {
    auto field = w.word("=");
    w.expect("=");
    if (!parse_field(step.op, field, w.word())) w.wrong("an attribute of the op");
  }
  step.out = w.buffers(num_buffers);
  if (w.take("scratch")) {
    step.scratch = w.number("+");
    w.expect("+");
    step.scratch_bytes = w.number();
  }
  step.barrier = w.take("barrier");
  step.name = w.name();
  if (w.take("block=")) step.block = static_cast<int>(w.number());
  return step;
}

}  // namespace

std::string print(const Program& p) {
  std::string out = fmt::format("program {} T {}..{} arena {}\n", p.device, p.min_T, p.max_T, p.arena_bytes);
  for (const auto& i : p.inputs) out += fmt::format("input {} \"{}\"\n", to_string(i.type), i.name);
  for (const auto& s : p.states) out += fmt::format("state {} {}{} \"{}\"\n", to_string(s.type), s.layout, s.changes ? " changes" : "", s.name);
  for (const auto& c : p.constants) {
    Op values = Const{c.type.shape, c.values};
    std::string text = fields(values)[1].second;
    out += fmt::format("constant {} {}\n", to_string(c.type), text);
  }
  for (size_t b = 0; b < p.buffers.size(); ++b) {
    const Buffer& buffer = p.buffers[b];
    out += fmt::format("b{} = {} {} : {}\n", b, kSpaces[static_cast<size_t>(buffer.space)], buffer.at, to_string(buffer.type));
  }
  for (const Step& s : p.steps) {
    out += fmt::format("step {} {}({})", s.kernel, op_name(s.op), list(s.in));
    for (const auto& [field, value] : fields(s.op)) out += fmt::format(" {}={}", field, value);
    out += fmt::format(" -> {}", list(s.out));
    if (s.scratch >= 0) out += fmt::format(" scratch {}+{}", s.scratch, s.scratch_bytes);
    if (s.barrier) out += " barrier";
    out += fmt::format(" \"{}\"", s.name);
    if (s.block >= 0) out += fmt::format(" block={}", s.block);
    out += "\n";
  }
  for (const auto& o : p.outputs) out += fmt::format("output b{} \"{}\"\n", o.buffer, o.name);
  return out;
}

Program parse_program(std::string_view text) {
  Program p;
  int number = 0;
  bool opened = false;
  for (auto raw : split(text, '\n')) {
    Words w{trim(raw), ++number};
    if (w.text.empty() || w.text.starts_with('#')) continue;
    if (!opened) {
      w.expect("program");
      p.device = std::string(w.word());
      w.expect("T");
      p.min_T = w.number(".");
      w.expect("..");
      p.max_T = w.number();
      w.expect("arena");
      p.arena_bytes = w.number();
      opened = true;
    } else if (w.take("input")) {
      Type t = w.type();
      p.inputs.push_back({w.name(), t});
    } else if (w.take("state")) {
      ProgramState s;
      s.type = w.type();
      s.layout = std::string(w.word());
      s.changes = w.take("changes");
      s.name = w.name();
      p.states.push_back(std::move(s));
    } else if (w.take("constant")) {
      Type t = w.type();
      Op c = Const{};
      if (!parse_field(c, "values", w.word())) w.wrong("values such as [1,0.5]");
      p.constants.push_back({t, std::get<Const>(c).values});
    } else if (w.take("step")) {
      p.steps.push_back(parse_step(w, p.buffers.size()));
    } else if (w.take("output")) {
      auto b = w.buffers(p.buffers.size());
      if (b.size() != 1) w.wrong("one buffer");
      p.outputs.push_back({w.name(), b[0]});
    } else {
      w.expect("b");
      if (w.number() != static_cast<int64_t>(p.buffers.size())) w.wrong(fmt::format("buffer b{}", p.buffers.size()));
      w.expect("=");
      auto space = w.word();
      Buffer b;
      size_t s = 0;
      while (s < 4 && kSpaces[s] != space) ++s;
      if (s == 4) w.wrong("arena, input, state or constant");
      b.space = static_cast<Space>(s);
      b.at = w.number();
      w.expect(":");
      b.type = w.type();
      p.buffers.push_back(b);
    }
    w.space();
    if (!w.text.empty()) w.wrong("the end of the line");
  }
  if (!opened) fail(ErrorKind::usage, "program text", "expected the word 'program' on the first line");
  return p;
}

}  // namespace motley
