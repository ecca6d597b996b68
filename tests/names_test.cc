// Names of kinds, in both directions: what the program, model files and other languages build upon.
#include <gtest/gtest.h>
#include <idelta/idelta.h>

#include <limits>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace {

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> names;
  std::istringstream text(list);
  for (std::string name; std::getline(text, name, ',');) names.push_back(name.substr(name[0] == ' ' ? 1 : 0));
  return names;
}

// The names are frozen as the values are: they are in model files and scripts. New ones may come after them.
template <class Kind>
void expect_names(const char* expected, const char* listed, const char* (*name_of)(Kind),
                  idelta_status (*by_name)(const char*, Kind*)) {
  EXPECT_TRUE(std::string(listed).starts_with(expected)) << listed;
  const std::vector<std::string> names = split(listed);
  EXPECT_EQ(names.size(), std::set<std::string>(names.begin(), names.end()).size());
  for (size_t i = 0; i < names.size(); ++i) {
    const auto kind = static_cast<Kind>(i);
    EXPECT_EQ(names[i], name_of(kind));
    auto found = static_cast<Kind>(99);
    EXPECT_EQ(IDELTA_OK, by_name(names[i].c_str(), &found)) << idelta_last_error();
    EXPECT_EQ(kind, found);
  }
  for (const int none : {-1, static_cast<int>(names.size()), std::numeric_limits<int>::min(), 1000}) {
    EXPECT_EQ(0u, std::string(name_of(static_cast<Kind>(none))).find("unknown ")) << none;
  }
  for (const std::string& wrong :
       {std::string("no such"), std::string(), names[0] + " ", "X" + names[1], std::string("unknown ISA")}) {
    auto kind = static_cast<Kind>(99);
    EXPECT_EQ(IDELTA_INVALID_ARGUMENT, by_name(wrong.c_str(), &kind)) << wrong;
    EXPECT_EQ(static_cast<Kind>(99), kind);
    const std::string sentence = idelta_last_error();
    EXPECT_NE(std::string::npos, sentence.find('"' + wrong + '"')) << sentence;
    EXPECT_NE(std::string::npos, sentence.find(listed)) << sentence;
  }
  Kind kind{};
  EXPECT_EQ(IDELTA_INVALID_ARGUMENT, by_name(nullptr, &kind));
  EXPECT_NE(std::string::npos, std::string(idelta_last_error()).find("name is null"));
  EXPECT_EQ(IDELTA_INVALID_ARGUMENT, by_name(names[0].c_str(), nullptr));
  EXPECT_NE(std::string::npos, std::string(idelta_last_error()).find("kind is null"));
}

TEST(Names, Activations) {
  expect_names("identity, relu, leaky_relu, hard_tanh, tanh", idelta_activation_names(), idelta_activation_name,
               idelta_activation_by_name);
}
TEST(Names, Optimizers) {
  expect_names("sgd, momentum, nesterov, adamw", idelta_optimizer_names(), idelta_optimizer_name,
               idelta_optimizer_by_name);
}
TEST(Names, Formats) {
  expect_names("auto, f32, bf16x3, bf16, low_rank, int8", idelta_format_names(), idelta_format_name,
               idelta_format_by_name);
}
TEST(Names, Tails) { expect_names("none, int8", idelta_tail_names(), idelta_tail_name, idelta_tail_by_name); }
TEST(Names, Verdicts) {
  expect_names("chosen, slower, inexact, replaced, unfit", idelta_verdict_names(), idelta_verdict_name,
               idelta_verdict_by_name);
}
TEST(Names, Isas) {
  expect_names("auto, scalar, avx2, avx512, amx", idelta_isa_names(), idelta_isa_name, idelta_isa_by_name);
}
TEST(Names, Bf16Products) {
  expect_names("auto, widened, rounded", idelta_bf16_product_names(), idelta_bf16_product_name,
               idelta_bf16_product_by_name);
}

TEST(Checks, Activation) {
  EXPECT_EQ(IDELTA_INVALID_ARGUMENT, idelta_activation_check(nullptr));
  for (int kind = -1; kind <= 5; ++kind) {
    for (const float slope : {-1.0f, 0.0f, 0.1f, 1.0f, std::numeric_limits<float>::quiet_NaN()}) {
      const idelta_activation activation = {static_cast<idelta_activation_kind>(kind), slope};
      const bool good = kind >= 0 && kind < 5 && (kind != IDELTA_ACTIVATION_LEAKY_RELU || slope == 0.1f);
      EXPECT_EQ(good ? IDELTA_OK : IDELTA_INVALID_ARGUMENT, idelta_activation_check(&activation))
          << kind << ' ' << slope;
    }
  }
}

// Only what a kind uses counts.
TEST(Checks, Optimizer) {
  EXPECT_EQ(IDELTA_INVALID_ARGUMENT, idelta_optimizer_check(nullptr));
  const auto kinds = static_cast<int>(split(idelta_optimizer_names()).size());
  for (int kind = -1; kind <= kinds; ++kind) {
    if (kind > IDELTA_OPTIMIZER_ADAMW && kind < kinds) continue;  // what later ones use is theirs to say
    idelta_optimizer good = IDELTA_OPTIMIZER_INIT;
    good.kind = static_cast<idelta_optimizer_kind>(kind);
    const bool known = kind >= 0 && kind < kinds, adamw = kind == IDELTA_OPTIMIZER_ADAMW;
    const auto status = [&](auto spoil) {
      idelta_optimizer optimizer = good;
      spoil(optimizer);
      return idelta_optimizer_check(&optimizer) == IDELTA_OK;
    };
    EXPECT_EQ(known, status([](auto&) {}));
    EXPECT_FALSE(status([](auto& o) { o.learning_rate = std::numeric_limits<float>::infinity(); }));
    EXPECT_FALSE(status([](auto& o) { o.weight_decay = std::numeric_limits<float>::quiet_NaN(); }));
    EXPECT_EQ(kind == IDELTA_OPTIMIZER_SGD, status([](auto& o) { o.momentum = 1; })) << kind;
    EXPECT_EQ(known && !adamw, status([](auto& o) { o.beta2 = -0.1f; })) << kind;
    EXPECT_EQ(known && !adamw, status([](auto& o) { o.epsilon = 0; })) << kind;
    EXPECT_EQ(known && !adamw, status([](auto& o) { o.step = 0; })) << kind;
  }
  EXPECT_EQ(0, idelta_optimizer_state_arrays(static_cast<idelta_optimizer_kind>(kinds)));
}

TEST(Checks, GradientFormat) {
  for (int format = -1; format <= 5; ++format) {
    const bool good = format >= IDELTA_FORMAT_AUTO && format <= IDELTA_FORMAT_BF16;
    EXPECT_EQ(good ? IDELTA_OK : IDELTA_INVALID_ARGUMENT,
              idelta_gradient_format_check(static_cast<idelta_format>(format)));
  }
}

}  // namespace
