// Everything a program that uses Motley includes.
#pragma once
#include "motley/engine.h"
#include "motley/error.h"
