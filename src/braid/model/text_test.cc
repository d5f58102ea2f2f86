// Which strings a model may carry.
#include "braid/model/text.h"

#include <gtest/gtest.h>

namespace braid::model {
namespace {

TEST(TextTest, AcceptsUtf8WithoutControlCharacters) {
  for (const char* text :
       {"", "cat", "T-shirt/top", "caf\xc3\xa9", "\xe7\x8c\xab", "\xf0\x9f\x90\x88", "\xc2\xa0",
        "\xed\x9f\xbf", "\xee\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(IsPlainText(text)) << text;
  }
}

TEST(TextTest, RefusesControlCharactersAndBrokenUtf8) {
  for (const char* text : {"\n",
                           "a\tb",
                           "\x1b[31m",
                           "\x7f",
                           "\xc2\x80",
                           "\xc2\x9f",  // control characters
                           "\x80",
                           "\xbf",
                           "\xc3",
                           "\xe7\x8c",
                           "\xf0\x9f\x90",
                           "\xc3(",
                           "\xff",  // incomplete or stray
                           "\xc0\xaf",
                           "\xc1\xbf",
                           "\xe0\x80\xaf",
                           "\xf0\x80\x80\xaf",  // overlong
                           "\xed\xa0\x80",
                           "\xed\xbf\xbf",  // surrogates
                           "\xf4\x90\x80\x80",
                           "\xf8\x88\x80\x80\x80"}) {  // above U+10FFFF
    EXPECT_FALSE(IsPlainText(text)) << text;
  }
  EXPECT_FALSE(IsPlainText(std::string_view("a\0b", 3)));
}

TEST(TextTest, KeepsModelNamesFitForPaths) {
  for (const char* name : {"a", "fluid4_fashion-mnist_s1", "v1.2", "_x", "0"}) {
    EXPECT_TRUE(IsModelName(name)) << name;
  }
  for (const char* name : {"", ".", "..", ".a", "-a", "a/b", "a b", "a\\b", "caf\xc3\xa9", "a:b"}) {
    EXPECT_FALSE(IsModelName(name)) << name;
  }
}

}  // namespace
}  // namespace braid::model
