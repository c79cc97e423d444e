#include "sluice/app/serve.hpp"

int main(int argc, char** argv) { return sluice::run(argc, argv); }
