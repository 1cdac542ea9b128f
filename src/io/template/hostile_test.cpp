// What a hostile template can try: every way to use up time, memory, stack or output, and every way out of the sandbox, ends in an Error,
// soon.
#include <gtest/gtest.h>

#include <ctime>
#include <nlohmann/json.hpp>

#include "io/template/chat_template.h"
#include "motley/error.h"

namespace motley {
namespace {

using Json = nlohmann::ordered_json;

std::string render(std::string_view source, const Json& messages = Json::array({Json{{"role", "user"}, {"content", "Hi"}}})) {
  try {
    return ChatTemplate::parse(source).render(messages, {});
  } catch (const Error& e) {
    return std::string("Error: ") + e.what();
  }
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr double kSeconds = 20;
#else
constexpr double kSeconds = 1;
#endif

void expect_refused(const std::string& source, std::string_view words) {
  std::clock_t start = std::clock();
  std::string got = render(source);
  double took = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;  // of this thread's own time: other tests run beside it
  EXPECT_TRUE(got.starts_with("Error: ")) << source.substr(0, 200) << "\ngave " << got.size() << " bytes";
  EXPECT_NE(got.find(words), got.npos) << source.substr(0, 200) << "\n" << got.substr(0, 400);
  EXPECT_LT(took, kSeconds) << source.substr(0, 200);
}

std::string repeated(std::string_view s, int n) {
  std::string out;
  for (int i = 0; i < n; ++i) out += s;
  return out;
}

constexpr const char* kEndless = "{% macro f() %}{% for i in range(99999) %}";

TEST(HostileTemplate, Time) {
  expect_refused("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "steps");
  expect_refused("{% set s = 'a' * 1000000 %}{% for a in range(99999) %}{% set x = s.count('b') %}{% endfor %}", "steps");
  expect_refused("{% set s = 'a' * 1000000 %}{% for a in range(99999) %}{% if ('b' ~ s) in s %}{% endif %}{% endfor %}", "steps");
  expect_refused("{% set l = range(99999) | list %}{% for a in l %}{% if -1 in l %}{% endif %}{% endfor %}", "steps");
  expect_refused("{% set l = range(99999) | list %}{% for a in l %}{% set x = l | sort %}{% endfor %}", "steps");
  expect_refused("{% set l = range(99999) | list %}{% for a in l %}{% set x = l == l[:] %}{% endfor %}", "steps");
  expect_refused("{% set l = [1] * 1000000 %}{% for a in range(99999) %}{% set x = l | sum %}{% endfor %}", "steps");
  expect_refused("{% set s = 'ab ' * 100000 %}{% for a in range(99999) %}{% set x = s.split() %}{% endfor %}", "steps");
  expect_refused("{% set s = 'é' * 1000000 %}{% for a in range(99999) %}{% set x = s[999] %}{% endfor %}", "steps");
  expect_refused(
      "{% set ns = namespace() %}{% for i in range(99999) %}{% set ns.x = loop.index %}{% for j in range(999) %}{{ '' }}{% endfor %}{% endfor %}",
      "steps");
}

TEST(HostileTemplate, WorkThatSharingOrRepetitionHides) {
  expect_refused(
      "{% set ns = namespace(a=[1], b=[1]) %}{% for i in range(60) %}{% set ns.a = [ns.a, ns.a] %}{% set ns.b = [ns.b, ns.b] %}{% endfor %}{{ ns.a "
      "== ns.b }}",
      "steps");
  expect_refused(
      "{% set ns = namespace(a=(1,), b=(1,)) %}{% for i in range(60) %}{% set ns.a = (ns.a, ns.a) %}{% set ns.b = (ns.b, ns.b) %}{% endfor %}{{ ns.a "
      "< ns.b }}",
      "steps");
  expect_refused("{% set ns = namespace(a=(1,)) %}{% for i in range(60) %}{% set ns.a = (ns.a, ns.a) %}{% endfor %}{{ {ns.a: 1} }}", "steps");
  expect_refused("{% set a = 'a' * 500000 ~ 'x' %}{% set b = 'a' * 500000 ~ 'x' %}{% for i in range(99999) %}{% if a == b %}{% endif %}{% endfor %}",
                 "steps");
  expect_refused("{% set s = 'a' * 1000000 %}{% for i in range(99999) %}{% set x = s.rfind('a' * 500000) %}{% endfor %}", "steps");
  expect_refused("{% set s = 'ab' * 500000 %}{% for i in range(99999) %}{% set x = s.strip(s) %}{% endfor %}", "steps");
  expect_refused("{% for i in range(99999) %}{% set x = ('b' ~ 'a' * 500000) in ('a' * 1000000) %}{% endfor %}", "steps");
}

TEST(HostileTemplate, GeneratorInsideItself) {
  expect_refused("{% set ns = namespace(l=none) %}{% for x in range(5) if (ns.l.length if ns.l else true) %}{% set ns.l = loop %}{{ x }}{% endfor %}",
                 "already executing");
  expect_refused("{% set ns = namespace(l=none) %}{% for x in range(5) if (ns.l.last if ns.l else true) %}{% set ns.l = loop %}{{ x }}{% endfor %}",
                 "already executing");
}

TEST(HostileTemplate, ManyNamesBranchesAndMacrosParseInTime) {
  std::string names, branches, macros, loop = "{% for i in range(99999) %}{% for j in range(99) %}";
  for (int i = 0; i < 20000; ++i) names += "{% set n" + std::to_string(i) + "=1 %}";
  for (int i = 0; i < 15000; ++i) branches += "{% if 1 %}{% endif %}";
  for (int i = 0; i < 15000; ++i) macros += "{% macro a() %}{{caller}}{% endmacro %}";
  EXPECT_EQ(render(names + branches), "");
  EXPECT_EQ(render(names + macros), "");
  expect_refused(names + loop + "{{ n19999 ~ n10000 }}{% endfor %}{% endfor %}", "");
}

TEST(HostileTemplate, Memory) {
  expect_refused("{{ 'a' * 10 ** 9 }}", "bytes");
  expect_refused("{{ 'a' * 10 ** 18 }}", "bytes");
  expect_refused("{{ [0] * 10 ** 15 }}", "bytes");
  expect_refused("{{ [[]] * (2 ** 62) }}", "memory");
  expect_refused("{% set ns = namespace(s='aaaaaaaa') %}{% for i in range(60) %}{% set ns.s = ns.s + ns.s %}{% endfor %}", "LimitError");
  expect_refused("{% set ns = namespace(s='aaaaaaaa') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}", "LimitError");
  expect_refused("{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = ns.l + ns.l %}{% endfor %}", "bytes");
  expect_refused("{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l }}", "steps");
  expect_refused("{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l | tojson }}", "steps");
  expect_refused("{% set ns = namespace(s='xx') %}{% for i in range(60) %}{% set ns.s = ns.s | replace('x', 'xxxxxxxx') %}{% endfor %}", "");
  expect_refused("{% set ns = namespace(s='ab') %}{% for i in range(60) %}{% set ns.s = ns.s.join(ns.s) %}{% endfor %}", "LimitError");
  expect_refused("{{ 'x' | indent(10 ** 10, true) }}", "");
  expect_refused("{{ 'x'.center(10 ** 10) }}", "");
  expect_refused("{{ 'x'.zfill(9223372036854775807) }}", "");
  expect_refused("{{ '%9999999999d' % 1 }}", "width");
  expect_refused("{{ '%.9999999d' % 1 }}{{ '%.99999999f' % 1.0 }}", "");
  expect_refused("{{ '{:>9999999999}'.format(1) }}", "width");
  expect_refused("{{ '{:.99999999f}'.format(1.5) }}", "precision");
  expect_refused("{{ range(10 ** 9) | list }}", "Range too big");
  expect_refused("{{ [1] | batch(10 ** 15, 0) | list }}", "");
  expect_refused("{{ [[1]] | tojson(indent=10 ** 12) }}", "");
  expect_refused("{{ range(99999) | list | tojson(separators=('x' * 10000000, '')) }}", "");
  expect_refused("{% set x = 'a' * 1000000 %}{{ '{0}{0}{0}{0}{0}{0}{0}{0}'.format(x ~ x ~ x ~ x) * 100 }}", "bytes");
  expect_refused("{{ strftime_now('%B' * 600) }}", "");
}

TEST(HostileTemplate, Output) {
  expect_refused(
      "{% for i in range(99999) %}{{ 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' "
      "}}{% endfor %}",
      "writes more than");
  expect_refused("{% set x = 'a' * 10000000 %}{{ x }}", "writes more than");
  expect_refused(
      "{% set ns = namespace(s='aaaaaaaa') %}{% for i in range(60) %}{% set x %}{{ ns.s }}{{ ns.s }}{% endset %}{% set ns.s = x %}{% endfor %}", "");
}

TEST(HostileTemplate, Depth) {
  expect_refused("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "deeper");
  expect_refused("{% macro f() %}{{ caller() }}{% endmacro %}{% macro g() %}{% call f() %}{{ g() }}{% endcall %}{% endmacro %}{{ g() }}", "deeper");
  expect_refused("{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}", "deeper");
  expect_refused("{{ " + repeated("(", 100000) + repeated(")", 100000) + " }}", "inside one another");
  expect_refused("{{ " + repeated("[", 100000) + repeated("]", 100000) + " }}", "inside one another");
  expect_refused("{{ " + repeated("not ", 100000) + "1 }}", "inside one another");
  expect_refused("{{ " + repeated("- ", 100000) + "1 }}", "inside one another");
  expect_refused("{{ 1" + repeated("+1", 100000) + " }}", "inside one another");
  expect_refused("{{ x" + repeated(".a", 100000) + " }}", "inside one another");
  expect_refused("{{ x" + repeated("|upper", 100000) + " }}", "inside one another");
  expect_refused("{{ x" + repeated("()", 100000) + " }}", "inside one another");
  expect_refused("{{ 1" + repeated(" if 1 else 1", 80000) + " }}", "inside one another");
  expect_refused("{{ 1" + repeated(" and 1", 100000) + " }}", "inside one another");
  expect_refused(repeated("{% if 1 %}", 50000), "inside one another");
  expect_refused(repeated("{% for x in y %}", 50000), "inside one another");
  expect_refused("{% set ns = namespace(l=[]) %}{% for i in range(99999) %}{% set ns.l = [ns.l] %}{% endfor %}", "nested deeper");
  expect_refused("{% set ns = namespace(l={}) %}{% for i in range(99999) %}{% set ns.l = {1: ns.l} %}{% endfor %}", "nested deeper");
  expect_refused("{% set ns = namespace(g=[1, 2]) %}{% for i in range(20000) %}{% set ns.g = ns.g | map('abs') %}{% endfor %}{{ ns.g | list }}",
                 "deeper");
  expect_refused("{% set ns = namespace() %}{% set ns.self = ns %}{{ ns }}", "deeper");
  expect_refused("{% set ns = namespace(p=none) %}{% for i in range(50000) %}{% set ns.p = namespace(p=ns.p) %}{% endfor %}{{ ns.p }}", "deeper");
  expect_refused(std::string(2 << 20, 'x'), "bytes");
  expect_refused(std::string(kEndless) + "{{ f() }}{% endfor %}{% endmacro %}{{ f() }}", "deeper");
}

TEST(HostileTemplate, ManyElifsAndLongLinesAreFine) {
  std::string source = "{% if 0 %}";
  for (int i = 0; i < 5000; ++i) source += "{% elif 0 %}x";
  EXPECT_EQ(render(source + "{% else %}ok{% endif %}"), "ok");
}

TEST(HostileTemplate, Sandbox) {
  for (const char* source : {"{{ ''.__class__.__mro__ }}", "{{ [].__class__.__base__ }}", "{{ messages.__class__.x }}",
                             "{{ raise_exception.__globals__.x }}", "{{ namespace.__init__.__globals__ }}", "{{ messages.append(1) }}",
                             "{{ messages[0].update({}) }}", "{{ messages[0].clear() }}", "{{ '{0.__class__.__mro__}'.format(1) }}",
                             "{{ (messages | attr('__class__')).x }}", "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
                             "{% set ns = namespace(__class__=1) %}", "{{ dict.__base__.x }}", "{{ self.__init__.x }}", "{{ range.__call__.x }}"}) {
    std::string got = render(source);
    EXPECT_TRUE(got.starts_with("Error: ")) << source << " gave " << got;
  }
  EXPECT_EQ(render("[{{ messages.__class__ }}{{ ''.__doc__ }}]"), "[]");
}

TEST(HostileTemplate, Messages) {
  Json deep = Json::array();
  for (int i = 0; i < 150; ++i) deep = Json::array({deep});
  EXPECT_NE(render("{{ messages }}", Json::array({Json{{"role", "user"}, {"content", "Hi"}, {"more", deep}}})).find("nested deeper"),
            std::string::npos);
  EXPECT_EQ(render("{{ messages[0].content }}", Json::array({Json{{"role", "user"}, {"content", "a\xFF\xC3z"}}})), "a\xEF\xBF\xBD\xEF\xBF\xBDz");
  EXPECT_NE(render("x", Json::object()).find("expected an array"), std::string::npos);
  EXPECT_NE(render("x", Json::array({1})).find("expected an object"), std::string::npos);
}

}  // namespace
}  // namespace motley
