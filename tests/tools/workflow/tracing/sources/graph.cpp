#include "graph.hpp"
#include <vector>

namespace geo::flat {

template <typename T>
class Graph : public Base {
public:
    explicit Graph(int n) : nodes_(make(n)) { reserve(n); }
    ~Graph() { clear(); }

    bool operator==(const Graph& other) const { return same(other); }
    void walk();
    const T& at(int i) const { return this->nodes_.template get<T>(i); }

private:
    struct Edge { int weight() { return helpers::weigh<int>(1); } };
};

template <typename T>
void Graph<T>::walk() {
    auto visit = [this](int depth) { step(depth); };
    visit(0);
    auto* next = new Graph<T>(1);
    auto other = new geo::Node();
    next->walk();
}

int größe(int n) { return n == 0 ? 0 : größe(n - 1); }

}  // namespace geo::flat

namespace {
int& hidden() { return *static_cast<int*>(geo::flat::find(1)); }
}
