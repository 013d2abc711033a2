//! The ledger and the verdict against what is known otherwise: hand-written runs with exact
//! numbers, an independent naive model over thousands of simulated runs, and mutated runs
//! that must not go unnoticed.

mod answering;
mod build;
mod causes;
mod compare;
mod dice;
mod finality;
mod foretold;
mod honest;
mod judging;
mod leaving;
mod losing;
mod measuring;
mod mutations;
mod naive;
mod optional;
mod outages;
mod parting;
mod reference;
mod rounds;
mod rules;
mod script;
mod sentences;
mod simulated;
mod twice;
mod violations;
