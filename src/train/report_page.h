// The curves of a run as one HTML page without scripts, fonts or pictures from elsewhere.
#pragma once
#include <string>
#include <utility>
#include <vector>

namespace motley {

struct LogRecord;

std::string report_page(const std::string& title, const std::vector<std::pair<std::string, std::string>>& facts,
                        const std::vector<LogRecord>& records);

}  // namespace motley
