// Inputs to begin with, for formats whose first bytes no fuzzer finds by chance: make_seeds <format> <folder>.
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "support/npy_bytes.h"

namespace {

using Bytes = std::vector<uint8_t>;

Bytes bytes_of(const char* text) { return Bytes(text, text + std::strlen(text)); }

std::vector<Bytes> seeds(const std::string& format) {
  if (format == "csv") {
    return {bytes_of("a,\"b, c\",kind\r\n1,2,x\r\n3.5,-4e2,\"y\"\"z\"\r\n5,6,x\r\n7,8,\"y\"\"z\"\r\n"),
            bytes_of("\xef\xbb\xbf"
                     "a,class,b\n1,0,2\n3,1,4\n5,0,6\n7,1,8\n")};
  }
  if (format == "study") {
    return {bytes_of(
        R"({"schema":"idelta-study","version":1,"data":"x","training_images":8,"test_images":4,"network":{"height":2,)"
        R"("width":2,"classes":3,"identity_scale":1.0,"activation":"leaky_relu","slope":0.1,"class_padding":0.0},)"
        R"("networks":[{"file":"a.safetensors","layers":1,"labels":"true","training":{"epochs":3,"batch":2,)"
        R"("learning_rate":0.003,"decay_epochs":0,"optimizer":"momentum","momentum":0.9,"weight_decay":0.0,)"
        R"("compute":"f32","seed":1,"layer_loss":0.0,"shuffled_labels":0},"seconds":1.5,"parameters_hash":"0",)"
        R"("test_accuracy":0.5,"per_layer":[{"layer":1,"accuracy":0.5,"cross_entropy":1.0,"spectral_norm":0.5,)"
        R"("frobenius_ratio":0.1}]}],"bands":[]})")};
  }
  const Bytes one_array = idelta_test::npy_bytes("<f4", "(2, 3)", Bytes(24, 1));
  const Bytes other_array = idelta_test::npy_bytes("|u1", "(3,)", {1, 2, 3}, 2);
  return {one_array, other_array,
          idelta_test::zip_bytes({{"arr_0.npy", one_array, true}, {"x.npy", other_array, false}})};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  int number = 0;
  for (const Bytes& seed : seeds(argv[1])) {
    std::ofstream file(std::string(argv[2]) + "/seed_" + std::to_string(number++), std::ios::binary);
    file.write(reinterpret_cast<const char*>(seed.data()), static_cast<std::streamsize>(seed.size()));
    if (!file.flush()) return 1;
  }
  return 0;
}
