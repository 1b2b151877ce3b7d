// Moving a running app to the database of a hosted project and back.

import { movesThereAndBack } from './support/moving.mjs'

await movesThereAndBack('hosted')
