#include "train/report_page.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "train/run_log.h"

namespace motley {
namespace {

constexpr double kWidth = 860, kHeight = 260, kLeft = 64, kBottom = 26, kTop = 10, kRight = 12;
constexpr size_t kMostPoints = 1000;

struct Series {
  const char *key, *colour;
};
struct Chart {
  const char* title;
  std::vector<Series> series;
  bool from_zero;
};

std::string escaped(const std::string& text) {
  std::string out;
  for (char c : text) out += c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '&' ? "&amp;" : c == '"' ? "&quot;" : std::string(1, c);
  return out;
}

using Points = std::vector<std::pair<double, double>>;

Points points_of(const std::vector<LogRecord>& records, const char* key) {
  Points out;
  for (const LogRecord& r : records)
    for (const auto& [name, value] : r.values)
      if (name == key && std::isfinite(value)) out.emplace_back(static_cast<double>(r.step), value);
  if (out.size() <= kMostPoints) return out;
  Points fewer;  // every so many-th, and the last
  const size_t stride = (out.size() + kMostPoints - 1) / kMostPoints;
  for (size_t i = 0; i < out.size(); i += stride) fewer.push_back(out[i]);
  fewer.push_back(out.back());
  return fewer;
}

std::string chart_svg(const Chart& chart, const std::vector<LogRecord>& records) {
  double x0 = HUGE_VAL, x1 = -HUGE_VAL, y0 = chart.from_zero ? 0 : HUGE_VAL, y1 = -HUGE_VAL;
  std::vector<Points> all;
  for (const Series& s : chart.series) {
    all.push_back(points_of(records, s.key));
    for (auto [x, y] : all.back()) x0 = std::min(x0, x), x1 = std::max(x1, x), y0 = std::min(y0, y), y1 = std::max(y1, y);
  }
  if (x0 > x1) return "";
  if (x1 == x0) x1 = x0 + 1;
  if (y1 == y0) y1 = y0 + (y0 == 0 ? 1 : std::fabs(y0) * 0.1);
  auto px = [&](double x) { return kLeft + (x - x0) / (x1 - x0) * (kWidth - kLeft - kRight); };
  auto py = [&](double y) { return kHeight - kBottom - (y - y0) / (y1 - y0) * (kHeight - kBottom - kTop); };
  std::string out =
      fmt::format("<h2>{}</h2>\n<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">\n", chart.title, kWidth, kHeight, chart.title);
  for (int i = 0; i <= 4; ++i) {
    const double y = y0 + (y1 - y0) * i / 4, x = x0 + (x1 - x0) * i / 4;
    out += fmt::format(
        "<line class=\"grid\" x1=\"{}\" x2=\"{}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/><text x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{:.4g}</text>\n",
        kLeft, kWidth - kRight, py(y), py(y), kLeft - 6, py(y) + 4, y);
    out += fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{:.0f}</text>\n", px(x), kHeight - 8, x);
  }
  double legend = kWidth - kRight;
  for (size_t i = chart.series.size(); i-- > 0;) {
    if (all[i].empty()) continue;
    out += fmt::format("<polyline fill=\"none\" stroke=\"{}\" stroke-width=\"1.6\" points=\"", chart.series[i].colour);
    for (auto [x, y] : all[i]) out += fmt::format("{:.1f},{:.1f} ", px(x), py(y));
    out += fmt::format("\"/>\n<text x=\"{}\" y=\"{}\" text-anchor=\"end\" fill=\"{}\">{}</text>\n", legend, kTop + 10, chart.series[i].colour,
                       chart.series[i].key);
    legend -= 120;
  }
  return out + "</svg>\n";
}

}  // namespace

std::string report_page(const std::string& title, const std::vector<std::pair<std::string, std::string>>& facts,
                        const std::vector<LogRecord>& records) {
  const Chart charts[] = {{"Loss", {{"loss", "#2563eb"}, {"eval_loss", "#dc2626"}}, false},
                          {"Learning rate", {{"learning_rate", "#059669"}}, true},
                          {"Length of the gradient", {{"grad_norm", "#7c3aed"}}, true},
                          {"Tokens per second", {{"tokens_per_second", "#d97706"}}, true}};
  std::string out = fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{}</title>\n"
      "<style>body{{font:15px/1.5 system-ui,sans-serif;max-width:900px;margin:2em auto;padding:0 1em;color:#1f2937}}"
      "h2{{font-size:1em;margin:1.4em 0 .2em}}svg{{width:100%;height:auto;font-size:11px;fill:#6b7280}}.grid{{stroke:#e5e7eb}}"
      "td{{padding:.1em 1em .1em 0;vertical-align:top}}td:first-child{{color:#6b7280}}</style>\n</head>\n<body>\n<h1>{}</h1>\n<table>\n",
      escaped(title), escaped(title));
  for (const auto& [name, value] : facts) out += fmt::format("<tr><td>{}</td><td>{}</td></tr>\n", escaped(name), escaped(value));
  out += "</table>\n";
  for (const Chart& chart : charts) out += chart_svg(chart, records);
  return out + "</body>\n</html>\n";
}

}  // namespace motley
