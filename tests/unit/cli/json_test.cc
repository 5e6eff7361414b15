#include "cli/json.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>

namespace tmrec::cli {

TEST_CASE("strings are escaped, and bytes that are no UTF-8 are replaced one by one") {
  CHECK(json_string("plain") == "\"plain\"");
  CHECK(json_string("a\"b\\c\n\t\x01\x7f") == "\"a\\\"b\\\\c\\n\\t\\u0001\\u007f\"");
  CHECK(json_string("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80") ==
        "\"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80\"");
  CHECK(json_string("\xff") == "\"\\ufffd\"");
  CHECK(json_string("\xc3") == "\"\\ufffd\"");                                   // cut short
  CHECK(json_string("\xc0\xaf") == "\"\\ufffd\\ufffd\"");                        // overlong
  CHECK(json_string("\xed\xa0\x80") == "\"\\ufffd\\ufffd\\ufffd\"");             // a surrogate
  CHECK(json_string("\xf4\x90\x80\x80") == "\"\\ufffd\\ufffd\\ufffd\\ufffd\"");  // beyond U+10FFFF
}

TEST_CASE("objects and arrays keep their order") {
  const std::string object = JsonObject()
                                 .add("name", "x")
                                 .add("yes", true)
                                 .add("least", std::numeric_limits<std::int64_t>::min())
                                 .add("most", std::numeric_limits<std::uint64_t>::max())
                                 .raw("list", JsonArray().add("a").raw("1").str())
                                 .str();
  CHECK(object == R"({"name":"x","yes":true,"least":-9223372036854775808,"most":18446744073709551615,"list":["a",1]})");
  CHECK(JsonObject().str() == "{}");
  CHECK(JsonArray().str() == "[]");
}

}  // namespace tmrec::cli
