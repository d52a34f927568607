#!/usr/bin/env node
require('../dist/bundle/loader.cjs').start();
