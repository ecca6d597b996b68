// The command line that trains a network again, from what its file says of its training.
#ifndef IDELTA_CLI_TRAIN_COMMAND_H
#define IDELTA_CLI_TRAIN_COMMAND_H

#include <string>

#include "idelta/nn.hpp"
#include "inputs.h"

namespace idelta::cli {

// Where the settings of a network and its training stand on the command line of idelta train.
struct FlagOfSetting {
  const char* flag;
  const char* setting;
};
inline constexpr FlagOfSetting kFlagsOfSettings[] = {{"--layers", "layers"},
                                                     {"--activation", "activation"},
                                                     {"--activation", "slope"},
                                                     {"--padding", "class_padding"},
                                                     {"--identity-scale", "identity_scale"},
                                                     {"--epochs", "epochs"},
                                                     {"--batch", "batch"},
                                                     {"--lr", "learning_rate"},
                                                     {"--decay-epochs", "decay_epochs"},
                                                     {"--optimizer", "optimizer"},
                                                     {"--compute", "compute"},
                                                     {"--momentum", "momentum"},
                                                     {"--weight-decay", "weight_decay"},
                                                     {"--seed", "seed"},
                                                     {"--layer-loss", "layer_loss"},
                                                     {"--shuffle-labels", "shuffled_labels"}};

nn::Settings all_settings(const nn::NetworkOptions& network, const nn::TrainOptions& train);

// The command whose --out has the bytes of the file that idelta train or study wrote, given that `place` is where its
// training set is; a compressed network was made of that file. `set` is a split of the data as the network sees it.
// Empty where the file does not tell; a sentence where its training was interrupted, which no command repeats.
std::string train_command(const nn::Network& network, const DataFlags& data, const nn::Dataset& set,
                          const std::string& out);

}  // namespace idelta::cli

#endif  // IDELTA_CLI_TRAIN_COMMAND_H
