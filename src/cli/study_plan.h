// The networks of a study: which, in which files, and which of them are there already.
#ifndef IDELTA_CLI_STUDY_PLAN_H
#define IDELTA_CLI_STUDY_PLAN_H

#include <string>
#include <vector>

#include "inputs.h"
#include "training.h"

namespace idelta::cli {

struct StudyFlags {
  MachineFlags machine;
  TrainingFlags training;
  std::string folder, layers = "10,30,100", seeds = "3", epochs, rates, decay_epochs, compute;
  std::string controls = "label-randomisation";
  bool json = false, quiet = false;
};

// A network of the plan, and its files.
struct Work {
  nn::StudyNetwork network;
  std::string name, model, checkpoint;
  bool is_done = false;
};

struct Study {
  nn::Study results;  // of what is done
  std::vector<Work> plan;
  Sets sets;
  double units_left = 0;  // of training: images x epochs x layers
};

// Depth by depth: every seed, then the control. Throws UsageError for lists that do not fit each other.
std::vector<Work> make_plan(const StudyFlags& flags);

bool is_there(const std::string& path);

nn::NetworkOptions options_of(const Study& study, const Work& work);

// Of training a network: images x epochs x layers, to which its time is about proportional.
double units(const Study& study, const Work& work);

std::string results_path(const StudyFlags& flags);

// Finds everything that can be wrong with options, data and files, marks what is done, and counts what is left.
void prepare(const StudyFlags& flags, const Context& context, Study& study);

}  // namespace idelta::cli

#endif  // IDELTA_CLI_STUDY_PLAN_H
