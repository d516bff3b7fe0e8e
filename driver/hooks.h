// The hooks that connect stage elaboration to autodiff, tokenizers and model folders.
#ifndef TCT_DRIVER_HOOKS_H
#define TCT_DRIVER_HOOKS_H

#include "frontend/stage.h"

extern const tct_stage_hooks tct_driver_hooks;

#endif
