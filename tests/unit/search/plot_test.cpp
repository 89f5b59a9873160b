// SPDX-License-Identifier: Apache-2.0
#include "models/search/plot.hpp"

#include "tests/support/catch.hpp"

using namespace dofa::search;

namespace {

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

}  // namespace

TEST_CASE("a picture has a dot for each point and steps for a front") {
  const std::vector<Series> series{{"front", "blue", {{1000, 0.5}, {2000, 0.6}, {4000, 0.7}}, true},
                                   {"a < b & c", "red", {{3000, 0.55}}, false}};
  const std::string svg = plot_svg(series, "title", "latency, ms", 1000);
  CHECK(svg.find("<svg ") == 0);
  CHECK(svg.find("</svg>") != std::string::npos);
  CHECK(count(svg, "<circle") == 4 + 2);  // and two in the legend
  CHECK(count(svg, "fill=\"none\"") == 1);
  CHECK(svg.find("a &lt; b &amp; c") != std::string::npos);
}

TEST_CASE("nothing and one point can be drawn") {
  CHECK(plot_svg({}, "", "", 1).find("nan") == std::string::npos);
  const std::vector<Series> one{{"p", "blue", {{5, 0.5}}, true}};
  CHECK(plot_svg(one, "", "", 1).find("nan") == std::string::npos);
}
