// What several verbs take: the machine (--isa, --threads), data sets and models. Files that cannot be used become
// FileError (exit code 3), options that cannot be taken UsageError (2).
#ifndef IDELTA_CLI_INPUTS_H
#define IDELTA_CLI_INPUTS_H

#include <CLI/CLI.hpp>
#include <new>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "idelta/nn.hpp"
#include "table.h"
#include "verbs.h"

namespace idelta::cli {

struct MachineFlags {
  std::string isa = "auto";
  int threads = 0;
};

void add_machine_flags(CLI::App& verb, MachineFlags& flags);
Context make_context(const MachineFlags& flags);

// A data set, and how its files are to be read.
struct DataFlags {
  std::string place;           // --data: a name, a folder or a file; empty if it is optional and was not given
  std::string label, classes;  // --label, --classes
  std::string scale;           // --scale, of train alone: later verbs find it in the model
};

void add_data_flags(CLI::App& verb, DataFlags& flags);
void add_optional_data_flags(CLI::App& verb, DataFlags& flags);
void add_scale_flag(CLI::App& verb, DataFlags& flags);

// With the scaling, the label column and the classes of the network that is to see it, if there is one.
nn::Dataset load_data(const DataFlags& flags, nn::Split split, const nn::NetworkOptions* network,
                      int64_t most = nn::kAllImages);

void add_model_argument(CLI::App& verb, std::string& path);
nn::Network load_network(const Context& context, const std::string& path);

// load(), whose failure is that of a file. What the libraries say about files is a sentence already; only its kind is
// added. Lack of memory is not the file's fault, nor is what libidelta itself refuses.
template <class Load>
auto read_file(const Load& load) -> decltype(load()) {
  try {
    return load();
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    throw FileError(error.what());
  }
}

// judge(), with the model's file named where its numbers overflow: then it is the file that cannot be used.
template <class Judge>
auto judged(const std::string& model_path, const Judge& judge) -> decltype(judge()) {
  try {
    return judge();
  } catch (const nn::NotFinite& error) {
    throw FileError(model_path + ": " + error.what());
  }
}

// "sigma 0.03 (17.2 %), dense": what a network may compute, and the share of multiplications; empty without forms.
std::string forms_text(const nn::Network& network);

// Throws FileError unless images, labels and names of features of the set fit the model.
void require_fit(const std::string& model_path, const nn::Network& network, const nn::Dataset& data);

// model    compressed.safetensors
//          compressed: sigma 0.03 (17.2 %); D was dropped
//          what follows is of form sigma 0.03, and of D where the file kept it
void add_model(Listing& listing, const std::string& path, const nn::Network& network);

// Names of forms, as the file orders them; of a model without D the last one computes, where no D is left.
nlohmann::ordered_json forms_json(const nn::Network& network);

// The name of a tail, or null for none.
nlohmann::ordered_json tail_json(idelta_tail tail);

// What eval and explain tell of a layer, "layer" counted from 1; `l` from 0.
nlohmann::ordered_json layer_json(const nn::Evaluation& evaluation, size_t l);

// network  10 layers of width 794: 784 pixels + 10 classes
//          leaky_relu:0.1, identity scale 1, class padding 0
void add_network(Listing& listing, const nn::NetworkOptions& options);

// "fashion-mnist, 10 000 test images of 28 x 28, 10 classes"; of named features "iris.csv, 120 training rows of 4
// features, 3 classes"
std::string describe(const nn::Dataset& data, nn::Split split);

// data     fashion-mnist, 10 000 test images of 28 x 28, 10 classes
//          what was done to it beyond reading it
void add_data(Listing& listing, const nn::Dataset& data, nn::Split split);

// "avx512, 2 threads"
std::string describe(const Context& context);

}  // namespace idelta::cli

#endif  // IDELTA_CLI_INPUTS_H
