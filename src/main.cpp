#include "sluice/app/cli.hpp"

int main(int argc, char** argv) { return sluice::run(argc, argv); }
